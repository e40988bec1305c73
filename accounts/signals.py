"""Facts about accounts that a higher room acts on. Sent after commit where nothing else is said."""

from django.dispatch import Signal

account_suspended = Signal()
"""An account's tokens died; its work must stop. Arguments: account_id (int)."""

account_created = Signal()
"""A user signed up. Sent in the transaction that makes the account, so that a receiver's rows are made with it or not
at all. Not sent for accounts that operators make by command. Arguments: account_id (int)."""
