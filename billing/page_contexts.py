"""What every page about an account's money knows: who asks, and how the account pays."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.access import Caller, caller_for_user
from accounts.models import User
from billing.models import BillingAccount
from billing.stripe_gateway import transport


def page_caller(request: HttpRequest) -> Caller:
    """Who is signed in; only for views that require it."""
    assert isinstance(request.user, User)
    return caller_for_user(request.user)


def payer_of(caller: Caller) -> BillingAccount:
    """The account's row, or what it would be where there is none yet: looking at a page writes nothing."""
    return BillingAccount.objects.filter(pk=caller.account_id).first() or BillingAccount(account_id=caller.account_id)


def render_page(
    request: HttpRequest, template: str, payer: BillingAccount, tab: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page below the tabs. tab: which of `billing/_tabs.html` it is."""
    shared = {"payer": payer, "tab": tab, "payments_are_on": transport.is_configured()}
    return render(request, f"billing/{template}", {**shared, **context}, status=status)
