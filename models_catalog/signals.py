"""Facts of the catalog that a higher room acts on. Sent after commit."""

from django.dispatch import Signal

version_submitted = Signal()
"""A version waits for its build. Arguments: version_id (str)."""
