"""The append-only log of what operators do to other people's things. All rooms write to it through `record`."""

from typing import Any

from accounts.models import AuditEntry, User


def record(actor: User, action: str, subject: str, *, reason: str = "", **details: Any) -> AuditEntry:
    """Append one entry, in the caller's transaction. `subject` is like `model/acme/echo` or `account/nina`."""
    return AuditEntry.objects.create(
        actor=actor, actor_name=actor.username, action=action, subject=subject, reason=reason, details=details
    )
