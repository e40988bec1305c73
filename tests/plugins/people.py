"""Browsers of the people that pages are tested with: Alice owns, a stranger must see nothing of hers, Olga operates.

Signed in already. They share the test's transaction, so nothing they do outlives it. Imports of ours are inside:
plugins are loaded before Django is.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from django.test import Client

    from accounts.access import Caller
    from accounts.models import Account, User


@dataclass
class Person:
    """Somebody at a browser."""

    account: "Account"
    user: "User"
    browser: "Client"

    @property
    def caller(self) -> "Caller":
        """As verbs see them."""
        from accounts.access import caller_for_user

        return caller_for_user(self.user)

    def get(self, path: str, query: Any = None, **options: Any) -> Any:
        """GET."""
        return self.browser.get(path, query, **options)

    def post(self, path: str, data: Any = None, **options: Any) -> Any:
        """POST."""
        return self.browser.post(path, data, **options)


def _person(name: str, **columns: Any) -> Person:
    from django.test import Client

    from accounts.models import User
    from tests.accounts.factories import AccountFactory

    account = AccountFactory.create(username=name)
    assert account.user_id
    User.objects.filter(pk=account.user_id).update(**columns, is_active=True)
    user = User.objects.get(pk=account.user_id)
    browser = Client()
    browser.force_login(user)
    return Person(account, user, browser)


@pytest.fixture
def alice_at_home(db: None) -> Person:
    """Alice, signed in."""
    return _person("alice")


@pytest.fixture
def stranger_at_home(db: None) -> Person:
    """Somebody else, signed in."""
    return _person("stranger")


@pytest.fixture
def olga(db: None) -> Person:
    """An operator, signed in."""
    return _person("olga", is_staff=True)


@pytest.fixture
def visitor(db: None) -> "Client":
    """Somebody who is not signed in."""
    from django.test import Client

    return Client()
