"""App configuration."""

from django.apps import AppConfig


class RunnerConfig(AppConfig):
    """Everything that runs."""

    name = "runner"

    def ready(self) -> None:
        """Listen to the facts of lower rooms."""
        from runner import receivers  # noqa: F401
