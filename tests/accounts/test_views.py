"""The page of API tokens."""

import re

import pytest
from django.test import Client

from accounts import tokens
from accounts.models import ApiToken
from tests.plugins.people import Person

TOKEN = re.compile(r"r8_[A-Za-z0-9]{37}")


def new_token(person: Person, name: str = "laptop", form_key: str = "one") -> str:
    """Make a token on the page; its text."""
    page = person.post("/account/tokens", {"name": name, "form_key": form_key}).content.decode()
    return TOKEN.findall(page)[0]


def test_a_new_token_is_shown_once_and_never_kept_by_a_cache(alice_at_home: Person) -> None:
    answer = alice_at_home.post("/account/tokens", {"name": "laptop", "form_key": "shown-once"})
    text = TOKEN.findall(answer.content.decode())[0]
    assert "no-store" in answer["Cache-Control"]
    assert f"REPLICATE_API_TOKEN={text}" in answer.content.decode()
    later = alice_at_home.get("/account/tokens")
    assert text not in later.content.decode()
    assert "no-store" in later["Cache-Control"]
    assert f"{text[:6]}…{text[-4:]}" in later.content.decode()


def test_a_new_token_works_and_only_its_digest_is_stored(alice_at_home: Person) -> None:
    text = new_token(alice_at_home, form_key="digest")
    caller = tokens.find_caller(text)
    assert caller is not None
    assert caller.account_id == alice_at_home.account.pk
    assert text not in str(ApiToken.objects.values().get())


def test_sending_the_form_twice_makes_one_token(alice_at_home: Person) -> None:
    new_token(alice_at_home, form_key="twice")
    again = alice_at_home.post("/account/tokens", {"name": "laptop", "form_key": "twice"}, follow=True)
    assert "made already" in again.content.decode()
    assert ApiToken.objects.count() == 1


def test_a_token_without_a_name_is_refused_beside_the_field(alice_at_home: Person) -> None:
    answer = alice_at_home.post("/account/tokens", {"name": "", "form_key": "nameless"})
    assert answer.status_code == 422
    assert "Give the token a name" in answer.content.decode()
    assert not ApiToken.objects.exists()


def test_a_revoked_token_is_dead_at_once_even_if_it_was_just_used(alice_at_home: Person) -> None:
    text = new_token(alice_at_home, form_key="revoked")
    assert tokens.find_caller(text) is not None
    answer = alice_at_home.post(f"/account/tokens/{ApiToken.objects.get().pk}/revoke", follow=True)
    assert "no longer works" in answer.content.decode()
    assert tokens.find_cached(text) is None
    assert tokens.find_caller(text) is None


def test_a_strangers_token_is_neither_seen_nor_revoked(alice_at_home: Person, stranger_at_home: Person) -> None:
    text = new_token(alice_at_home, name="alices-laptop", form_key="mine")
    assert "alices-laptop" not in stranger_at_home.get("/account/tokens").content.decode()
    assert stranger_at_home.post(f"/account/tokens/{ApiToken.objects.get().pk}/revoke").status_code == 404
    assert tokens.find_caller(text) is not None


@pytest.mark.parametrize("path", ["/account/tokens", "/account/usage"])
def test_account_pages_ask_visitors_to_sign_in_and_come_back(visitor: Client, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/login/?next={path}"
