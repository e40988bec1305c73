"""How much models are used: their run counts, told by the room that runs them."""

from collections.abc import Mapping

from models_catalog.models import Model


def set_run_counts(counts: Mapping[int, int]) -> None:
    """Write the number of predictions of each model (by its key), where it changed.

    A count of its own per run would make one hot row of every popular model, and re-index it for search each time.
    """
    for model_id, count in sorted(counts.items()):
        Model.objects.filter(pk=model_id).exclude(run_count=count).update(run_count=count)
