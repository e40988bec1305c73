"""Users with their accounts, and tokens."""

from typing import Any

import factory

from accounts import tokens
from accounts.access import Caller
from accounts.models import Account, User


class UserFactory(factory.django.DjangoModelFactory[User]):
    """A user without an account; make an AccountFactory to get both."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda number: f"user{number}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.test")
    password = factory.django.Password("correct horse battery")


class AccountFactory(factory.django.DjangoModelFactory[Account]):
    """A user's account, of the same name: `AccountFactory.create(username="alice")`."""

    class Meta:
        model = Account

    username = factory.Sequence(lambda number: f"user{number}")
    user: Any = factory.SubFactory(UserFactory, username=factory.SelfAttribute("..username"))


def caller_of(account: Account) -> Caller:
    """The account's user, acting."""
    return Caller(account_id=account.pk, username=account.username, user_id=account.user_id)


def token_for(account: Account, name: str = "test") -> str:
    """A new token's text."""
    return tokens.issue(account, name=name, created_by=account.user)[1]
