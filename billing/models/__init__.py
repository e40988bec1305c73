"""Everything about money that is kept. Amounts are integers of nano-dollars in columns that end in `_nanos`.

Source: billing.md 2, 3.
"""

from billing.models.accounts import BillingAccount, BucketConsumption, CreditBucket, Hold
from billing.models.instances import InstanceMeter
from billing.models.invoices import Invoice, InvoiceLine, NumberSequence, PublisherAgreement, PublisherPayout
from billing.models.ledger import DaySeal, LedgerBalance, LedgerEntry, LedgerTxn
from billing.models.limits import LimitPeriod, LimitScope, SpendCounter, SpendLimit
from billing.models.payments import CardRefund, Dispute, PaymentMethod, StripeCall, StripeCursor, StripeEvent, TopUp
from billing.models.prices import Meter, Price
from billing.models.quarantine import QuarantinedUsage
from billing.models.quotes import Quote
from billing.models.refunds import RefundProposal
from billing.models.usage import FaultAppeal, RunReceipt, UsagePosting, UsageRecord, UsageRollup

__all__ = [
    "BillingAccount",
    "BucketConsumption",
    "CardRefund",
    "CreditBucket",
    "DaySeal",
    "Dispute",
    "FaultAppeal",
    "Hold",
    "InstanceMeter",
    "Invoice",
    "InvoiceLine",
    "LedgerBalance",
    "LedgerEntry",
    "LedgerTxn",
    "LimitPeriod",
    "LimitScope",
    "Meter",
    "NumberSequence",
    "PaymentMethod",
    "Price",
    "PublisherAgreement",
    "PublisherPayout",
    "QuarantinedUsage",
    "Quote",
    "RefundProposal",
    "RunReceipt",
    "SpendCounter",
    "SpendLimit",
    "StripeCall",
    "StripeCursor",
    "StripeEvent",
    "TopUp",
    "UsagePosting",
    "UsageRecord",
    "UsageRollup",
]
