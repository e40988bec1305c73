"""What one run cost, as its page shows it: lines, corrections, the rule that decided, its appeal and receipt.

Source: billing.md 4.3, 11, 15.2.
"""

from dataclasses import dataclass

from billing import invoices
from billing.classes import BillingClass
from billing.models import FaultAppeal, InvoiceLine, RunReceipt, UsageRecord
from billing.money import Nanos
from billing.outcomes import Rule, rule_of, verdict_of
from billing.run_bills import PENDING, REFUNDED, state_of


@dataclass(frozen=True, slots=True)
class ShownBill:
    """lines: with prices. rule: of the published table; verdict: whose doing its end was, in one word, None: success.

    is_dedicated: the run itself costs nothing, its instance's online time does.
    """

    lines: list[UsageRecord]
    corrections: list[UsageRecord]
    total_nanos: Nanos
    state: str
    is_dedicated: bool
    rule: Rule
    verdict: str | None
    appeal: FaultAppeal | None
    has_receipt: bool
    invoice_line: InvoiceLine | None

    @property
    def is_pending(self) -> bool:
        """Not posted yet: seconds."""
        return self.state == PENDING

    @property
    def is_refunded(self) -> bool:
        """Wholly or in part."""
        return self.state == REFUNDED

    @property
    def may_appeal(self) -> bool:
        """Something was charged and stayed so, and nobody has asked yet."""
        return self.appeal is None and self.total_nanos > 0


def shown_bill(subject: str, *, billing_class: str, has_started: bool) -> ShownBill | None:
    """The bill of an ended run (`prediction/<id>`); None while it has no record.

    has_started: did an instance have it when it ended?
    """
    records = list(UsageRecord.objects.filter(subject=subject).select_related("price", "posting").order_by("pk"))
    if not records:
        return None
    fault = records[0].fault_class
    return ShownBill(
        lines=[record for record in records if record.corrects_id is None],
        corrections=[record for record in records if record.corrects_id is not None],
        total_nanos=Nanos(sum(record.amount_nanos for record in records)),
        state=state_of(records),
        is_dedicated=billing_class == BillingClass.DEDICATED,
        rule=rule_of(fault, has_started=has_started),
        verdict=verdict_of(fault),
        appeal=FaultAppeal.objects.filter(pk=subject).first(),
        has_receipt=RunReceipt.objects.filter(pk=subject).exists(),
        invoice_line=invoices.line_of(records[0]),
    )
