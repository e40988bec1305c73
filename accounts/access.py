"""Who acts: the Caller that every verb takes, and how one comes from a user or a token."""

import re
from dataclasses import dataclass

from django.http import HttpRequest

from accounts.models import Account, User


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody acting as an account. Verbs never see a request."""

    account_id: int
    username: str  # of the account
    user_id: int | None = None
    token_id: int | None = None
    is_staff: bool = False

    @property
    def is_authenticated(self) -> bool:
        """DRF asks this of `request.user`."""
        return True

    def owns(self, account_id: int) -> bool:
        """Does the caller act as this account?"""
        return self.account_id == account_id


def caller_for_user(user: User) -> Caller:
    """The caller a signed-in user is: their personal account, made now for one that `createsuperuser` made."""
    account = Account.objects.filter(user=user).first() or create_personal_account(user)
    return Caller(account_id=account.pk, username=account.username, user_id=user.pk, is_staff=user.is_staff)


def create_personal_account(user: User) -> Account:
    """The account that goes with a new user, under the lower-cased user name fit for an address."""
    username = re.sub(r"[^a-z0-9._-]", "-", user.username.lower()).lstrip("._-")[:60] or "user"
    if Account.objects.filter(username=username).exists():
        username = f"{username}-{user.pk}"
    return Account.objects.create(user=user, username=username, name=user.get_full_name())


def operator_of(request: HttpRequest) -> User:
    """Who works in the console: the user who is signed in."""
    user = request.user
    assert isinstance(user, User)
    return user
