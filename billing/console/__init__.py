"""Pages of money in the operators' console, one module per subject. Imported by `billing.admin`, which registers them.

Lists are read-only; what can be done to a row asks for a reason and calls a verb, which writes the audit entry.
"""

from billing.console import accounts, appeals, invoices, ledger, payments, prices, quarantined, refunds

__all__ = ["accounts", "appeals", "invoices", "ledger", "payments", "prices", "quarantined", "refunds"]
