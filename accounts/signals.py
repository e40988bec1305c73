"""Facts about accounts that a higher room acts on. Sent after commit."""

from django.dispatch import Signal

account_suspended = Signal()
"""An account's tokens died; its work must stop. Arguments: account_id (int)."""
