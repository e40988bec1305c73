"""The pages of API tokens and settings. They work without JavaScript; a token's text is in one answer only."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import preferences, tokens
from accounts.access import Caller, caller_for_user
from accounts.forms import KeptDataForm, NewTokenForm, new_form_key
from accounts.models import Account, User

_FORM_KEY_SECONDS = 24 * 3600


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def token_list(request: HttpRequest) -> HttpResponse:
    """List tokens and make one: the answer to the POST is the only page that ever shows its text."""
    assert isinstance(request.user, User)
    caller = caller_for_user(request.user)
    if request.method == "GET":
        return _render(request, caller, _empty_form())
    form = NewTokenForm(request.POST)
    if not form.is_valid():
        return _render(request, caller, form, status=422)
    if not cache.add(f"token-form:{caller.account_id}:{form.cleaned_data['form_key']}", 1, _FORM_KEY_SECONDS):
        messages.info(request, "That token was made already. Its text can't be shown again.")
        return redirect("tokens")
    account = Account.objects.get(pk=caller.account_id)
    token, text = tokens.issue(account, name=form.cleaned_data["name"], created_by=request.user)
    return _render(request, caller, _empty_form(), new_token=token, new_text=text)


@login_required
@require_POST
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponse:
    """End a token."""
    assert isinstance(request.user, User)
    token = tokens.revoke(caller_for_user(request.user), token_id)
    messages.success(request, f"“{token.name}” no longer works.")
    return redirect("tokens")


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def account_settings(request: HttpRequest) -> HttpResponse:
    """What the account chooses for itself."""
    assert isinstance(request.user, User)
    caller = caller_for_user(request.user)
    form = KeptDataForm(
        request.POST if request.method == "POST" else None,
        installation_seconds=settings.API_DATA_KEPT_SECONDS,
        chosen=preferences.get_preferences(caller).api_data_kept_seconds,
    )
    if request.method == "POST" and form.is_valid():
        preferences.keep_api_data(caller, form.cleaned_data["seconds"])
        messages.success(request, "Saved.")
        return redirect("account_settings")
    return render(request, "accounts/settings.html", {"form": form}, status=422 if form.errors else 200)


def _empty_form() -> NewTokenForm:
    return NewTokenForm(initial={"form_key": new_form_key()})


def _render(
    request: HttpRequest, caller: Caller, form: NewTokenForm, *, status: int = 200, **context: object
) -> HttpResponse:
    context = {"form": form, "tokens": tokens.list_tokens(caller), **context}
    response = render(request, "accounts/tokens.html", context, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response
