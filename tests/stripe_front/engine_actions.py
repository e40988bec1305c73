"""What happens at Stripe without a call of its API, done to a world's database: run in the engine's environment.

Time that passes, banks that dispute, refuse or take their time, customers who prove who they are to their bank.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import seahaven
from seahaven.http import HttpRequest, HttpResponse
from seahaven_stripe_world.billing import ledger
from seahaven_stripe_world.http_api import handle
from seahaven_stripe_world.resources import charges, disputes, events, payment_intents, payouts, refunds

Answer = dict[str, Any]
Row = dict[str, Any]
_ALWAYS_ASKS = "3184"  # this test card needs its owner at each payment; the others only until they are set up
_PROOF = "three_d_secure=required"
_PROOF_WANTED = {
    "type": "card_error",
    "code": "invoice_payment_intent_requires_action",
    "message": "This payment requires additional user action before it can be completed successfully.",
}
_NO_CARD = {
    "type": "invalid_request_error",
    "message": "There is no default payment method set on this customer or invoice.",
}


def _row(ctx: seahaven.Ctx, table: str, one: str) -> Row:
    row = ctx.db.one(f"SELECT * FROM {table} WHERE id = ?", one)
    if row is None:
        raise KeyError(one)
    return row


def _form(request: HttpRequest) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


def emit(ctx: seahaven.Ctx, asked: Answer) -> Answer:
    """An event of that `type` about that `object`."""
    return {"id": events.emit_event(ctx, type=asked["type"], obj=asked["object"])}


def advance(ctx: seahaven.Ctx, asked: Answer) -> Answer:
    """Let `seconds` pass."""
    ctx.clock._start += timedelta(seconds=asked["seconds"])
    return {"now": ctx.clock.iso()}


def dispute(ctx: seahaven.Ctx, asked: Answer) -> Answer:
    """The bank disputes the `charge` as fraudulent, as it does by itself with the test card for that."""
    charge = _row(ctx, "charges", asked["charge"])
    disputes.maybe_create_dispute(ctx, charge, {"x_behavior": "dispute=fraudulent"})
    made = ctx.db.one("SELECT id FROM disputes WHERE charge = ? ORDER BY x_seq DESC", charge["id"])
    return {"id": made["id"] if made else None}


def fail_refund(ctx: seahaven.Ctx, asked: Answer) -> Answer:
    """The bank sends the `refund` back, days after it was made. Source: https://docs.stripe.com/refunds#failed-refunds."""
    refund = _row(ctx, "refunds", asked["refund"])
    back = ledger.record(
        ctx,
        type_="refund_failure",
        amount=refund["amount"],
        fee=0,
        currency=refund["currency"],
        source_id=refund["id"],
        description="REFUND FAILURE",
    )
    ctx.db.execute(
        "UPDATE refunds SET status = 'failed', failure_reason = 'lost_or_stolen_card', failure_balance_transaction = ? "
        "WHERE id = ?",
        back["id"],
        refund["id"],
    )
    ctx.db.execute(
        "UPDATE charges SET refunded = 0, amount_refunded = amount_refunded - ? WHERE id = ?",
        refund["amount"],
        refund["charge"],
    )
    shown = refunds.serialize(ctx, _row(ctx, "refunds", refund["id"]))
    events.emit_event(ctx, type="refund.failed", obj=shown)
    events.emit_event(ctx, type="charge.updated", obj=charges.serialize(ctx, _row(ctx, "charges", refund["charge"])))
    return shown


def end_payout(ctx: seahaven.Ctx, asked: Answer) -> Answer:
    """The money of the `payout` has reached our bank, `ok`, or has come back."""
    if asked["ok"]:
        ledger.settle_payout(ctx, asked["payout"])
    else:
        ledger.fail_payout(ctx, asked["payout"], failure_code="account_closed")
    return payouts.serialize(ctx, _row(ctx, "payouts", asked["payout"]))


def finish(ctx: seahaven.Ctx, asked: Answer) -> Answer:
    """The bank has made up its mind about the `intent` that was processing: `ok` or not."""
    intent = _row(ctx, "payment_intents", asked["intent"])
    card = intent["payment_method"]
    ctx.db.execute("UPDATE payment_intents SET status = 'requires_confirmation' WHERE id = ?", intent["id"])
    behavior = None if asked["ok"] else "charge_declined=card_declined,decline_code=insufficient_funds"
    kept = _row(ctx, "payment_methods", card)["x_behavior"]
    _behave(ctx, card, behavior)
    intent_row = _row(ctx, "payment_intents", intent["id"])
    payment_intents._confirm(ctx, intent_row, {"payment_method": card, "off_session": True})
    _behave(ctx, card, kept)
    return payment_intents.serialize(ctx, _row(ctx, "payment_intents", intent["id"]))


def _behave(ctx: seahaven.Ctx, card: str, behavior: str | None) -> None:
    ctx.db.execute("UPDATE payment_methods SET x_behavior = ? WHERE id = ?", behavior, card)


def slowly(ctx: seahaven.Ctx, request: HttpRequest) -> HttpResponse:
    """Create or confirm an intent whose bank takes its time: it is processing until `finish`."""
    form = _form(request)
    body = {name: value for name, value in form.items() if name not in {"confirm", "off_session"}}
    creates = request.path == "/v1/payment_intents"
    if creates:
        made = handle(ctx, replace(request, body=urlencode(body).encode()))
        if made.status != 200:
            return made
        intent = json.loads(made.body_bytes)["id"]
    else:
        intent = request.path.split("/")[3]
    row = _row(ctx, "payment_intents", intent)
    if row["status"] in {"requires_payment_method", "requires_confirmation"}:
        card = form.get("payment_method") or row["payment_method"]
        ctx.db.execute(
            "UPDATE payment_intents SET status = 'processing', payment_method = ? WHERE id = ?", card, intent
        )
        shown = payment_intents.serialize(ctx, _row(ctx, "payment_intents", intent))
        events.emit_event(ctx, type="payment_intent.processing", obj=shown)
    return HttpResponse.json(payment_intents.serialize(ctx, _row(ctx, "payment_intents", intent)))


def authenticated(ctx: seahaven.Ctx, card: str, pay: Callable[[], HttpResponse]) -> HttpResponse:
    """A payment whose card's owner has just proved who they are.

    The engine stops at that point and has no step after it, so the card's need for a proof is lifted for this one
    call: for good where the card remembers it.
    """
    row = _row(ctx, "payment_methods", card)
    kept = row["x_behavior"]
    _behave(ctx, card, ",".join(tag for tag in (kept or "").split(",") if tag and tag != _PROOF) or None)
    done = pay()
    if json.loads(row["rail"])["last4"] == _ALWAYS_ASKS:
        _behave(ctx, card, kept)
    return done


def pay_invoice(ctx: seahaven.Ctx, request: HttpRequest) -> HttpResponse:
    """Pay an invoice with the card that was named, or its own: the engine only knows the customer's default card.

    Where nothing could be charged the engine shows the open invoice, and Stripe an error.
    """
    form = _form(request)
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


ACTIONS: dict[str, Callable[[seahaven.Ctx, Answer], Answer]] = {
    "emit": emit,
    "advance": advance,
    "dispute": dispute,
    "fail_refund": fail_refund,
    "end_payout": end_payout,
    "finish": finish,
}
