"""BentoML with a model that gives its text back: `bentoml serve bento_echo:Echo`."""

import bentoml


@bentoml.service
class Echo:
    """The same work as tests/cog_models/echo."""

    @bentoml.api
    def predict(self, text: str) -> str:
        """One prediction."""
        return text
