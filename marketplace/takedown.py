"""Take a model down, and put it back: hide it, stop what runs of it, make every process forget it.

A flow across rooms: the catalog hides, the runner stops. What was stopped is not charged to the people who ran it.
"""

from functools import partial

from django.db import transaction
from django.db.models import Q

from accounts.models import User
from marketplace.lib import wakeups
from models_catalog import lookup, moderation
from models_catalog.models import Model, Version
from runner import predictions


def take_down(actor: User, model: Model, *, reason: str) -> None:
    """Hide a model and stop its predictions and instances, and those of versions that were trained with its code.

    Raises Conflict if it is hidden.
    """
    with transaction.atomic():
        moderation.hide(actor, model, reason=reason)
        runs_its_code = Version.objects.filter(Q(model=model) | Q(base__model=model))
        version_ids = list(runs_its_code.values_list("pk", flat=True))
        lookup.forget_facts_everywhere()
        # After the commit: from then on nothing new can be accepted, so that one look finds all there is to cancel.
        transaction.on_commit(partial(predictions.cancel_all_of_model, model.pk))
        wakeups.send_after_commit(wakeups.RUNNERS, {"type": "stop_version", "version_ids": version_ids})


def put_back(actor: User, model: Model, *, reason: str) -> None:
    """Show a hidden model again; what was canceled stays so. Raises Conflict if it isn't hidden."""
    with transaction.atomic():
        moderation.restore(actor, model, reason=reason)
        lookup.forget_facts_everywhere()
