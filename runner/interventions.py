"""What operators do to instances by hand. The runner acts on it; the audit entry is in the same transaction."""

from django.db import transaction

from accounts import audit
from accounts.models import User
from marketplace.lib import wakeups
from marketplace.lib.problems import Conflict
from runner.models import Instance
from runner.states import INSTANCE_ENDED


def stop_instance(actor: User, instance: Instance, *, reason: str) -> None:
    """Ask the runner to stop an instance; what it was running is queued again. Raises Conflict if it has ended."""
    with transaction.atomic():
        live = Instance.objects.select_for_update(of=("self",)).exclude(state__in=INSTANCE_ENDED)
        if not live.filter(pk=instance.pk).exists():
            raise Conflict("This instance has already stopped.")
        audit.record(actor, "stop_instance", f"instance/{instance.pk}", reason=reason, version=instance.version_id)
        wakeups.send_after_commit(wakeups.RUNNERS, {"type": "stop_instance", "id": instance.pk})
