"""Signing up and in, by the pages."""

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from accounts.access import caller_for_user
from accounts.models import Account, User

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _fresh_rate_limits() -> None:
    cache.clear()


def sign_up(visitor: Client, username: str) -> str:
    """Send the form; the page that follows."""
    form = {"username": username, "email": f"{username}@example.test", "password1": PASSWORD}
    return visitor.post("/accounts/signup/", form, follow=True).content.decode()


def test_signing_up_makes_a_user_with_an_account_and_signs_in(visitor: Client) -> None:
    assert "Sign out" in sign_up(visitor, "Nina")
    account = Account.objects.get(username="nina")
    assert account.user is not None
    assert visitor.session["_auth_user_id"] == str(account.user.pk)


@pytest.mark.parametrize(
    ("username", "message"),
    [
        ("admin", "This name is taken."),
        ("nina smith", "Enter a valid username."),
        ("-nina", "Use lower-case letters"),
        ("n" * 40, "Use lower-case letters"),
    ],
)
def test_names_that_could_not_be_addresses_are_refused_beside_the_field(
    visitor: Client, username: str, message: str
) -> None:
    page = sign_up(visitor, username)
    assert f'<p class="field-error" id="id_username_error">{message}' in page
    assert not User.objects.exists()


def test_a_wrong_password_does_not_tell_whether_the_account_exists(visitor: Client) -> None:
    sign_up(visitor, "nina")
    answers = []
    for login in ("nina", "nobody"):
        page = Client().post("/accounts/login/", {"login": login, "password": "wrong"}).content.decode()
        answers.append("The username and/or password you specified are not correct." in page)
    assert answers == [True, True]


def test_a_forgotten_password_is_reset_by_the_link_in_a_mail(visitor: Client) -> None:
    sign_up(visitor, "nina")
    browser = Client()
    browser.post("/accounts/password/reset/", {"email": "nina@example.test"})
    link = next(line for line in mail.outbox[0].body.splitlines() if "/accounts/password/reset/key/" in line).strip()
    form = browser.get(link, follow=True)
    browser.post(form.request["PATH_INFO"], {"password1": "another long one", "password2": "another long one"})
    assert User.objects.get(username="nina").check_password("another long one")


@pytest.mark.parametrize(
    "path", ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/accounts/password/reset/done/"]
)
def test_entrance_pages_are_in_the_sites_frame(visitor: Client, path: str) -> None:
    page = visitor.get(path)
    assert page.status_code == 200
    assert "site-header" in page.content.decode()


@pytest.mark.parametrize(("username", "account"), [("root", "root"), ("Ops@Example", "ops-example"), ("_", "user")])
def test_a_user_made_on_the_command_line_gets_an_account_when_first_needed(
    db: None, username: str, account: str
) -> None:
    user = User.objects.create_superuser(username, f"{len(username)}@example.test", PASSWORD)
    assert caller_for_user(user).username == account
    assert caller_for_user(user) == caller_for_user(user)
