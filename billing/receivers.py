"""What billing does when a lower room tells of a fact."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.signals import email_confirmed
from django.dispatch import receiver

from accounts.models import Account
from accounts.signals import account_created
from billing import trials


@receiver(account_created)
def open_trial_of_new_account(account_id: int, **_: Any) -> None:
    """In the transaction that makes the account."""
    trials.open_trial(account_id)


@receiver(email_confirmed)
def grant_trial_credit_of_verified_user(email_address: EmailAddress, **_: Any) -> None:
    """A sweep finds what is lost here."""
    for account in Account.objects.filter(user=email_address.user):
        trials.grant_trial_credit(account)
