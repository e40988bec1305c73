"""`POST /webhooks/stripe`: the body as it came, verified, stored, answered. All else happens later.

It is Stripe's to call and no part of the public API.  Source: billing.md 14.5.
"""

import structlog
from django.http import HttpRequest, HttpResponse

from billing import stripe_events
from billing.stripe_gateway.errors import BadSignature
from marketplace.lib import dbthreads
from marketplace.lib.endpoints import json_answer
from marketplace.lib.problems import MalformedRequest, PayloadTooLarge

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 256 * 1024


async def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """200 once the event is stored, also for one that was stored before; 400 for what Stripe didn't sign just now."""
    if len(request.body) > MAX_BODY_BYTES:
        raise PayloadTooLarge(f"The request body must be at most {MAX_BODY_BYTES} bytes")
    try:
        await dbthreads.run(stripe_events.receive, request.body, request.headers.get("Stripe-Signature", ""))
    except BadSignature as error:
        log.warning("stripe_webhook_refused", why=str(error))
        raise MalformedRequest("The signature does not fit.") from error
    return json_answer({"received": True})
