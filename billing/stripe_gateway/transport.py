"""The one place that speaks to Stripe: a client from the settings, and how calls are kept, repeated, judged and logged.

Each writing call is kept as a `StripeCall`, in a short transaction of its own, before it goes out; a repeat with its
key sends what was kept, whatever the caller gives now. Nothing of the SDK leaves this module.  Source: billing.md 14.2.
"""

import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from billing.models import StripeCall
from billing.stripe_gateway.errors import (
    BadSignature,
    Declined,
    NotConfigured,
    Refused,
    Unanswered,
    WrongMode,
    redacted,
)

if TYPE_CHECKING:
    import stripe

log = structlog.get_logger(__name__)

Json = dict[str, Any]
TOLERANCE_SECONDS = 300  # between a webhook's timestamp and now, in both directions
_TIMEOUTS = (5, 30)  # seconds to connect, to wait for an answer
_NETWORK_RETRIES = 2
_PAGE = 100


def is_configured() -> bool:
    """Is there a key? Without one nothing can be paid, and everything else works.  Source: billing.md 14.6."""
    return bool(settings.STRIPE_SECRET_KEY)


def sdk_version() -> str:
    """The API version that the SDK is made for."""
    import stripe

    return str(stripe._api_version._ApiVersion.CURRENT)


def is_live() -> bool:
    """Is the key one for real money?"""
    return str(settings.STRIPE_SECRET_KEY).startswith(("sk_live_", "rk_live_"))


@functools.lru_cache(maxsize=4)
def _client(key: str, base: str, version: str) -> "stripe.StripeClient":
    import stripe  # where it is needed: it takes a second, and most processes never pay

    return stripe.StripeClient(
        key,
        stripe_version=version,
        base_addresses={"api": base},
        max_network_retries=_NETWORK_RETRIES,
        http_client=stripe.RequestsClient(timeout=_TIMEOUTS),
    )


def _method(operation: str) -> Any:
    """`payment_intents.create` of the client."""
    if not is_configured():
        raise NotConfigured("STRIPE_SECRET_KEY is not set.")
    client = _client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, settings.STRIPE_API_VERSION)
    return attrgetter(operation)(client.v1)


def read(operation: str, *ids: str, params: Mapping[str, Any] | None = None) -> Json:
    """One reading call. Raises NotConfigured, Refused, Unanswered, WrongMode."""
    return _sent(operation, ids, params or {}, key="")


def read_all(operation: str, *, params: Mapping[str, Any]) -> Iterator[Json]:
    """Everything that a list has, newest first, page by page. Raises as `read`."""
    after: Json = {}
    while True:
        page = read(operation, params={**params, **after, "limit": _PAGE})
        yield from page["data"]
        if not page["has_more"]:
            return
        after = {"starting_after": page["data"][-1]["id"]}


def write(operation: str, *ids: str, key: str, params: Mapping[str, Any] | None = None) -> Json:
    """One writing call under an idempotency key, kept before it goes out; outside of transactions.

    Raises NotConfigured, Declined, Refused, Unanswered (repeat it with the same key), WrongMode.
    Source: billing.md 14.4.
    """
    method = _method(operation)  # before the call is kept: without a key nothing goes out
    assert method
    kept = _keep(key, operation, params or {})
    try:
        answer = _sent(operation, ids, kept, key=key)
    except Unanswered as failure:
        _note(key, StripeCall.State.SENT, error=str(failure))
        raise
    except (Declined, Refused, WrongMode) as failure:
        _note(key, StripeCall.State.FAILED, error=str(failure))
        raise
    _note(key, StripeCall.State.DONE, object_id=answer["id"])
    return answer


def _keep(key: str, operation: str, params: Mapping[str, Any]) -> Json:
    """What goes out for this key: the parameters of the first time."""
    with transaction.atomic(durable=True):
        StripeCall.objects.bulk_create(
            [StripeCall(key=key, operation=operation, params=dict(params))], ignore_conflicts=True
        )
        StripeCall.objects.filter(pk=key).update(tries=F("tries") + 1)
        call = StripeCall.objects.get(pk=key)
    assert call.operation == operation, f"{key} belongs to {call.operation}"
    return call.params


def _note(key: str, state: StripeCall.State, *, object_id: str = "", error: str = "") -> None:
    StripeCall.objects.filter(pk=key).update(
        state=state, object_id=object_id, error=redacted(error)[:1000], answered_at=Now()
    )


def _sent(operation: str, ids: Sequence[str], params: Mapping[str, Any], *, key: str) -> Json:
    import stripe

    method = _method(operation)
    options = {"idempotency_key": key} if key else {}
    began = time.monotonic()
    outcome = "done"
    try:
        answer: Json = method(*ids, params=dict(params), options=options).to_dict()
    except stripe.StripeError as error:
        failure = _judged(error)
        outcome = type(failure).__name__
        if error.code == "idempotency_error" or (
            isinstance(error, stripe.IdempotencyError) and error.http_status == 400
        ):
            log.error("stripe_key_reused", operation=operation, key=key)
        raise failure from error
    finally:
        seconds = round(time.monotonic() - began, 3)
        log.info("stripe_call", operation=operation, key=key, outcome=outcome, seconds=seconds)
    if answer.get("livemode", is_live()) != is_live():
        raise WrongMode(f"{operation} answered with an object of the other mode")
    return answer


def _judged(error: "stripe.StripeError") -> Declined | Refused | Unanswered:
    """What the SDK raised, as ours.  Source: billing.md 14.3 C, 14.4."""
    import stripe

    status = error.http_status or 0
    body = error.json_body if isinstance(error.json_body, dict) else {}
    told: Json = body.get("error") or {}
    message = redacted(str(told.get("message") or error.user_message or type(error).__name__))
    if isinstance(error, stripe.CardError):
        intent = told.get("payment_intent") or {}
        return Declined(
            message,
            code=str(told.get("code") or ""),
            decline_code=str(told.get("decline_code") or ""),
            advice_code=str(told.get("advice_code") or ""),
            payment_intent_id=str(intent.get("id") or ""),
        )
    if status == 0 or status >= 500 or status in (409, 429):
        return Unanswered(message)
    return Refused(message, code=str(told.get("code") or told.get("type") or ""), status=status)


def verified_event(body: bytes, signature: str, secrets: Sequence[str], *, now: float) -> Json:
    """The event in a webhook's body, if one of the secrets signed it within five minutes of now.

    signature: the header `Stripe-Signature`. now: seconds since 1970. Raises BadSignature.  Source: billing.md 14.5.
    """
    try:
        text = body.decode()
        signed_at = next(int(part[2:]) for part in signature.split(",") if part.startswith("t="))
    except (UnicodeDecodeError, ValueError, StopIteration) as error:
        raise BadSignature("The signature or the body is malformed.") from error
    if signed_at > now + TOLERANCE_SECONDS:  # the SDK refuses only the past
        raise BadSignature("The signature is from the future.")
    if not any(_fits(text, signature, secret) for secret in secrets):
        raise BadSignature("No secret of ours made this signature.")
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadSignature("The body is no JSON.") from error
    if not isinstance(event, dict) or event.get("object") != "event":
        raise BadSignature("The body is no event.")
    if event.get("livemode") != is_live():
        raise BadSignature("The event is of the other mode.")
    return event


def _fits(text: str, signature: str, secret: str) -> bool:
    import stripe

    try:
        return bool(stripe.WebhookSignature.verify_header(text, signature, secret, TOLERANCE_SECONDS))
    except (stripe.SignatureVerificationError, ValueError):
        return False
