"""Reports about models, and what operators decide: dismiss, hide, restore.

Each decision and its audit entry are one transaction. Hiding here only hides; stopping what runs is a flow across
rooms, `marketplace.takedown`.
"""

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.access import Caller
from accounts.models import User
from marketplace.lib.problems import Conflict, FieldError, ValidationFailed
from models_catalog.models import Model, Report

TEXT_LIMIT = 4000  # characters


def report(caller: Caller | None, model: Model, *, category: str, text: str) -> Report:
    """Tell the operators about a model that the caller may see; None is a visitor. Raises ValidationFailed."""
    errors = []
    if category not in Report.Category.values:
        errors.append(FieldError("/category", "Choose one of the reasons."))
    if len(text) > TEXT_LIMIT:
        errors.append(FieldError("/text", f"Use at most {TEXT_LIMIT} characters."))
    if errors:
        raise ValidationFailed(errors)
    reporter_id = caller.account_id if caller else None
    return Report.objects.create(model=model, reporter_id=reporter_id, category=category, text=text)


def dismiss(actor: User, report: Report, *, reason: str) -> None:
    """Decide that nothing follows from a report. Raises Conflict if it was decided before."""
    with transaction.atomic():
        changed = Report.objects.filter(pk=report.pk, status=Report.Status.OPEN).update(
            status=Report.Status.DISMISSED, decided_by=actor, decided_at=timezone.now()
        )
        if not changed:
            raise Conflict("This report was already decided.")
        audit.record(actor, "dismiss_report", f"model/{report.model.full_name}", reason=reason, report_id=report.pk)


def hide(actor: User, model: Model, *, reason: str) -> None:
    """Take a model out of everybody's sight but its owner's, who reads the reason; its open reports are acted on.

    Raises Conflict if it is hidden.
    """
    with transaction.atomic():
        changed = Model.objects.filter(pk=model.pk, hidden_at=None).update(
            hidden_at=timezone.now(), hidden_reason=reason
        )
        if not changed:
            raise Conflict(f"{model.full_name} is already hidden.")
        decided = model.reports.filter(status=Report.Status.OPEN).update(
            status=Report.Status.ACTED_ON, decided_by=actor, decided_at=timezone.now()
        )
        audit.record(actor, "hide_model", f"model/{model.full_name}", reason=reason, reports_closed=decided)


def restore(actor: User, model: Model, *, reason: str) -> None:
    """Show a hidden model again. Raises Conflict if it isn't hidden."""
    with transaction.atomic():
        changed = Model.objects.filter(pk=model.pk, hidden_at__isnull=False).update(hidden_at=None, hidden_reason="")
        if not changed:
            raise Conflict(f"{model.full_name} is not hidden.")
        audit.record(actor, "restore_model", f"model/{model.full_name}", reason=reason)
