"""App configuration."""

from django.apps import AppConfig


class RunnerConfig(AppConfig):
    """Everything that runs."""

    name = "runner"

    def ready(self) -> None:
        """Listen to the facts of lower rooms, and have the jobs of reconciliation."""
        from runner import receivers, usage_checks  # noqa: F401
