"""Find accounts by name."""

from accounts.models import Account
from marketplace.lib.problems import NotFound


def get_account(username: str) -> Account:
    """An account in good standing, whatever the case. Raises NotFound, for a suspended one too."""
    account = Account.objects.filter(username__iexact=username, suspended_at=None).first()
    if account is None:
        raise NotFound()
    return account
