"""The engine's server: Stripe's API with state, one private account per `/worlds/{id}`. Runs in .venv beside it.

`python engine.py PORT` serves until it is ended. Beside Stripe's routes each world has a few below `/stand_in/`, for
what Stripe does by itself or people do elsewhere: time that passes, a customer who confirms a payment with their bank,
a bank that disputes a charge, and events about the objects that the front adds.
"""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import seahaven
import seahaven.http
from seahaven.http import HttpRequest, HttpResponse
from seahaven_stripe_world import world
from seahaven_stripe_world.http_api import handle
from seahaven_stripe_world.resources import disputes, events

Answer = dict[str, Any]
_PROOF_WANTED = {
    "type": "card_error",
    "code": "invoice_payment_intent_requires_action",
    "message": "This payment requires additional user action before it can be completed successfully.",
}
_NO_CARD = {
    "type": "invalid_request_error",
    "message": "There is no default payment method set on this customer or invoice.",
}
_ALWAYS_ASKS = "3184"  # this test card needs its owner at each payment; the others only until they are set up


def emit(ctx: seahaven.Ctx, asked: Answer) -> Answer:
    """An event of that `type` about that `object`."""
    return {"id": events.emit_event(ctx, type=asked["type"], obj=asked["object"])}


def advance(ctx: seahaven.Ctx, asked: Answer) -> Answer:
    """Let `seconds` pass."""
    ctx.clock._start += timedelta(seconds=asked["seconds"])
    return {"now": ctx.clock.iso()}


def dispute(ctx: seahaven.Ctx, asked: Answer) -> Answer:
    """The bank disputes the `charge` as fraudulent, as it does by itself with the test card for that."""
    charge = ctx.db.one("SELECT * FROM charges WHERE id = ?", asked["charge"])
    if charge is None:
        raise KeyError(asked["charge"])
    disputes.maybe_create_dispute(ctx, charge, {"x_behavior": "dispute=fraudulent"})
    made = ctx.db.one("SELECT id FROM disputes WHERE charge = ? ORDER BY x_seq DESC", charge["id"])
    return {"id": made["id"] if made else None}


def authenticated(ctx: seahaven.Ctx, request: HttpRequest) -> HttpResponse:
    """A payment whose card's owner has just proved who they are: `/stand_in/authenticated/{card}/v1/…`.

    The engine stops at that point and has no step after it, so the card's need for a proof is lifted for this one
    call: for good where the card remembers it.
    """
    _, _, _, card_id, path = request.path.split("/", 4)
    card = ctx.db.one("SELECT x_behavior, rail FROM payment_methods WHERE id = ?", card_id)
    if card is None:
        raise KeyError(card_id)
    kept = [tag for tag in (card["x_behavior"] or "").split(",") if tag and tag != "three_d_secure=required"]
    statement = "UPDATE payment_methods SET x_behavior = ? WHERE id = ?"
    ctx.db.execute(statement, ",".join(kept) or None, card_id)
    done = answer(ctx, replace(request, path=f"/{path}"))
    if json.loads(card["rail"])["last4"] == _ALWAYS_ASKS:
        ctx.db.execute(statement, card["x_behavior"], card_id)
    return done


def pay_invoice(ctx: seahaven.Ctx, request: HttpRequest) -> HttpResponse:
    """Pay an invoice with the card that was named, or its own: the engine only knows the customer's default card.

    Where nothing could be charged the engine shows the open invoice, and Stripe an error.
    """
    form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    named = form.pop("payment_method", None)
    request = replace(request, body=urlencode(form).encode())
    invoice_id = request.path.split("/")[3]
    invoice = ctx.db.one("SELECT customer, default_payment_method FROM invoices WHERE id = ?", invoice_id)
    if invoice is None:
        return handle(ctx, request)
    customer = ctx.db.one("SELECT invoice_settings FROM customers WHERE id = ?", invoice["customer"])
    settings = json.loads((customer and customer["invoice_settings"]) or "{}")
    card = named or invoice["default_payment_method"] or settings.get("default_payment_method")
    statement = "UPDATE customers SET invoice_settings = ? WHERE id = ?"
    ctx.db.execute(statement, json.dumps({**settings, "default_payment_method": card}), invoice["customer"])
    done = handle(ctx, request)
    ctx.db.execute(statement, json.dumps(settings), invoice["customer"])
    if done.status == 200 and json.loads(done.body_bytes)["status"] == "open":
        return HttpResponse.json({"error": _PROOF_WANTED if card else _NO_CARD}, status=402 if card else 400)
    return done


_INVOICE_PAY = re.compile("/v1/invoices/[^/]+/pay")
_ACTIONS: dict[str, Callable[[seahaven.Ctx, Answer], Answer]] = {
    "/stand_in/emit": emit,
    "/stand_in/advance": advance,
    "/stand_in/dispute": dispute,
}


def answer(ctx: seahaven.Ctx, request: HttpRequest) -> HttpResponse:
    """Ours below /stand_in/, the engine's otherwise."""
    if action := _ACTIONS.get(request.path):
        return HttpResponse.json(action(ctx, request.json()))
    if request.path.startswith("/stand_in/authenticated/"):
        return authenticated(ctx, request)
    if request.method == "POST" and _INVOICE_PAY.fullmatch(request.path):
        return pay_invoice(ctx, request)
    return handle(ctx, request)


if __name__ == "__main__":
    test_mode = {"startup": {"livemode": False}, "clock_mode": "running"}
    seahaven.http.serve(world, answer, port=int(sys.argv[1]), reset_options=test_mode, max_instances=0)
