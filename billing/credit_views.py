"""The page of credit: what is left, buying more, doing so automatically, cards, and what was bought.

Who buys or saves a card leaves for Stripe's hosted page by a page that says so: the site's policy lets no form lead
elsewhere. Coming back, `?checkout=` names the page that was left.  Source: billing.md 9, 14.3 A–C.
"""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import Caller
from billing import auto_reload, cards, checkout, limit_lists, top_ups
from billing.forms import AutoReloadForm, BuyForm, add_problem, empty_buy_form, reload_settings
from billing.models import TopUp
from billing.money import NANOS_PER_CENT, in_words
from billing.overview import list_buckets
from billing.page_contexts import page_caller, payer_of, render_page
from billing.stripe_gateway import transport
from billing.stripe_gateway.errors import StripeFailure
from marketplace.lib.problems import Problem

_MOST_TOP_UPS = 100
_PATH = "/account/billing/credit"
_RELOAD_FIELDS = {"/threshold": "threshold", "/target": "target", "/monthly_cap": "monthly_cap"}


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def credit(request: HttpRequest) -> HttpResponse:
    """Show it; POST buys, on Stripe's page or (`with=card`) with the default card."""
    caller = page_caller(request)
    if request.method == "POST":
        return _buy(request, caller)
    if session := request.GET.get("checkout", ""):
        return _come_back(request, caller, session)
    return _page(request, caller)


@never_cache
@login_required
@require_POST
def reload(request: HttpRequest) -> HttpResponse:
    """Save the settings of auto-reload; credit that is low already is bought at once."""
    caller = page_caller(request)
    form = AutoReloadForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        cap = data["monthly_cap"]
        try:
            bought = auto_reload.save_settings(
                caller.account_id,
                enabled=data["enabled"],
                threshold_nanos=data["threshold"] * NANOS_PER_CENT,
                target_nanos=data["target"] * NANOS_PER_CENT,
                monthly_cap_nanos=None if cap is None else cap * NANOS_PER_CENT,
            )
        except Problem as problem:
            add_problem(form, problem, _RELOAD_FIELDS)
        else:
            messages.success(request, f"Auto-reload is {'on' if data['enabled'] else 'off'}.")
            if bought:
                _tell(request, bought)
            return redirect("billing_credit")
    return _page(request, caller, reload_form=form, status=422)


@never_cache
@login_required
@require_POST
def new_card(request: HttpRequest) -> HttpResponse:
    """Leave for the page on which a card is saved."""
    try:
        address = cards.create_setup(page_caller(request).account_id, return_path=_PATH)
    except Problem as problem:
        return _refused(request, problem)
    return _leave(request, address)


@never_cache
@login_required
@require_POST
def default_card(request: HttpRequest, card_id: str) -> HttpResponse:
    """Charge this card from now on. Somebody else's is 404."""
    account_id = page_caller(request).account_id
    card = cards.get_card(account_id, card_id)
    try:
        cards.set_default(account_id, card_id)
    except Problem as problem:
        return _refused(request, problem)
    messages.success(request, f"{card} is charged from now on.")
    return redirect("billing_credit")


@never_cache
@login_required
@require_POST
def remove_card(request: HttpRequest, card_id: str) -> HttpResponse:
    """Forget a card, here and at Stripe. Somebody else's is 404."""
    account_id = page_caller(request).account_id
    card = cards.get_card(account_id, card_id)
    try:
        cards.detach(account_id, card_id)
    except Problem as problem:
        return _refused(request, problem)
    messages.success(request, f"{card} is removed.")
    return redirect("billing_credit")


def _buy(request: HttpRequest, caller: Caller) -> HttpResponse:
    form = BuyForm(request.POST)
    if not form.is_valid():
        return _page(request, caller, buy_form=form, status=422)
    if not form.is_first(caller.account_id):
        messages.info(request, "That was bought already. See the list below.")
        return redirect("billing_credit")
    amount = form.cleaned_data["amount"]
    try:
        if request.POST.get("with") == "card":
            _tell(request, top_ups.buy_with_saved_card(caller.account_id, amount, user_id=caller.user_id))
            return redirect("billing_credit")
        bought = top_ups.create_checkout(caller.account_id, amount, user_id=caller.user_id, return_path=_PATH)
    except Problem as problem:
        form = BuyForm({"amount": request.POST["amount"], "form_key": empty_buy_form().initial["form_key"]})
        form.is_valid()
        add_problem(form, problem, {"/amount": "amount"})
        return _page(request, caller, buy_form=form, status=problem.status)
    return _leave(request, bought.checkout_url)


def _come_back(request: HttpRequest, caller: Caller, session: str) -> HttpResponse:
    """Find out how the page that was left ended. Its webhook does the same; whoever is first credits it."""
    try:
        bought = checkout.settle_session(session, account_id=caller.account_id)
    except (StripeFailure, Problem):
        messages.info(request, "We could not ask how the payment ended. It appears below once we know.")
    else:
        if bought:
            _tell(request, bought)
    return redirect("billing_credit")


def _tell(request: HttpRequest, bought: TopUp) -> None:
    amount = in_words(bought.amount_cents * NANOS_PER_CENT)
    if bought.state == TopUp.State.SUCCEEDED:
        messages.success(request, f"{amount} of credit is there.")
    elif bought.state == TopUp.State.REQUIRES_ACTION:
        messages.warning(request, f"Your bank wants you to confirm {amount}: follow “Confirm it” below.")
    elif bought.state in TopUp.PENDING:
        messages.info(request, f"{amount} is being paid. The credit appears when the payment has succeeded.")
    else:
        messages.error(request, f"{amount} was not paid. {bought.error}")


def _refused(request: HttpRequest, problem: Problem) -> HttpResponse:
    messages.error(request, problem.detail)
    return redirect("billing_credit")


def _leave(request: HttpRequest, address: str) -> HttpResponse:
    return render(request, "billing/leaving.html", {"address": address})


def _page(request: HttpRequest, caller: Caller, *, status: int = 200, **forms: Any) -> HttpResponse:
    payer = payer_of(caller)
    context = {
        "buckets": list_buckets(payer.pk),
        "top_ups": TopUp.objects.filter(account_id=payer.pk).order_by("-created_at")[:_MOST_TOP_UPS],
        "reached": limit_lists.reached(payer.pk),
        "cards": cards.list_cards(payer.pk) if transport.is_configured() else [],
        "buy_form": empty_buy_form(),
        "reload_form": AutoReloadForm(initial=reload_settings(payer)),
        **forms,
    }
    return render_page(request, "credit.html", payer, "credit", context, status=status)
