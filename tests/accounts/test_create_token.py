"""`manage.py create_token`: prints a token that works, and nothing else."""

import io

import pytest
from django.core.management import CommandError, call_command

from accounts import tokens
from accounts.models import ApiToken
from tests.accounts.factories import AccountFactory

pytestmark = pytest.mark.django_db


def test_it_prints_only_the_token_which_acts_as_the_user():
    account = AccountFactory.create(username="olga")
    out = io.StringIO()
    call_command("create_token", "Olga", "--name", "laptop", stdout=out)
    text = out.getvalue().removesuffix("\n")
    caller = tokens.find_caller(text)
    assert caller and caller.account_id == account.pk
    assert ApiToken.objects.get().name == "laptop"


def test_an_unknown_user_is_an_error_in_words():
    with pytest.raises(CommandError, match="There is no user 'nobody'"):
        call_command("create_token", "nobody")
    assert not ApiToken.objects.exists()
