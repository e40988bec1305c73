"""The hosted pages, as plain forms that a browser test or an HTTP client can fill in."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from tests.stripe_front import checkout, portal
from tests.stripe_front.engine_client import Refused
from tests.stripe_front.routes import Json

if TYPE_CHECKING:
    from tests.stripe_front.world import World

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1>{body}</body></html>"""
_CARD = """<form method="post">
<p><label>Card number <input name="number" inputmode="numeric" autocomplete="cc-number" required></label></p>
<p><label>Expiry <input name="expiry" value="12 / 34" required></label></p>
<p><label>CVC <input name="cvc" value="123" required></label></p>
<button>{button}</button></form>"""
_PROOF = """<p>Your bank wants to know that it is you.</p><form method="post">
<button name="outcome" value="complete">Complete</button> <button name="outcome" value="fail">Fail</button></form>"""


@dataclass(frozen=True)
class Page:
    """What the browser gets: a document, or the address to go to."""

    status: int
    html: str = ""
    location: str = ""


def _page(title: str, body: str, status: int = 200) -> Page:
    return Page(status, _PAGE.format(title=escape(title), body=body))


def _alert(message: str) -> str:
    return f'<p role="alert">{escape(message)}</p>'


def _card(form: dict[str, str]) -> Json:
    month, year = re.split(r"\s*/\s*", form["expiry"].strip())
    digits = re.sub(r"\D", "", form["number"])
    return {"number": digits, "exp_month": int(month), "exp_year": 2000 + int(year), "cvc": form["cvc"]}


def _checkout(world: "World", form: dict[str, str] | None, session_id: str) -> Page:
    session = checkout.find(world, session_id)
    shown = session.shown
    title = "Save a card" if shown["mode"] == "setup" else "Pay"
    if shown["status"] != "open":
        return _page(title, _alert(f"This session is {shown['status']}."), 410)
    alert = ""
    if form is not None:
        try:
            if checkout.pay(world, session, _card(form)):
                return Page(303, location=checkout.success_url(session))
            return Page(303, location=f"{shown['url']}/authenticate")
        except Refused as no:
            alert = _alert(no.message)
    lines = "".join(f"<li>{_in_words(line)}</li>" for line in session.lines)
    total = f"<ul>{lines}</ul><p>Total: {_money(shown['amount_total'], shown['currency'])}</p>" if lines else ""
    back = f'<p><a href="{escape(shown["cancel_url"])}">Back</a></p>' if shown["cancel_url"] else ""
    return _page(title, alert + total + _CARD.format(button=title) + back, 402 if alert else 200)


def _in_words(line: Json) -> str:
    return f"{line['quantity']} × {escape(line['description'] or '')}: {_money(line['amount_total'], line['currency'])}"


def _money(cents: int, currency: str) -> str:
    return f"{cents // 100}.{cents % 100:02d} {currency.upper()}"


def _checkout_proof(world: "World", form: dict[str, str] | None, session_id: str) -> Page:
    session = checkout.find(world, session_id)
    if session.card is None or session.shown["status"] != "open":
        return _page("Confirm", _alert("Nothing waits for a confirmation."), 410)
    if form is None:
        return _page("Confirm", _PROOF)
    if form["outcome"] != "complete":
        return Page(303, location=session.shown["url"])
    checkout.authenticate(world, session)
    return Page(303, location=checkout.success_url(session))


def _invoice(world: "World", form: dict[str, str] | None, invoice_id: str) -> Page:
    invoice = world.engine.get(f"/v1/invoices/{invoice_id}")
    if invoice["status"] != "open":
        return _page("Invoice", f"<p>This invoice is {escape(invoice['status'])}.</p>")
    alert = ""
    if form is not None:
        try:
            card = world.attach_card(invoice["customer"], _card(form)["number"])
            paid = world.engine.post(f"/v1/invoices/{invoice_id}/pay", payment_method=card)
            return Page(303, location=_invoice_url(world, paid))
        except Refused as no:
            if no.body["error"].get("code") == "invoice_payment_intent_requires_action":
                return Page(303, location=f"{_invoice_url(world, invoice)}/authenticate/{card}")
            alert = _alert(no.message)
    due = f"<p>Due: {_money(invoice['amount_due'], invoice['currency'])}</p>"
    return _page("Invoice", alert + due + _CARD.format(button="Pay"), 402 if alert else 200)


def _invoice_url(world: "World", invoice: Json) -> str:
    return f"{world.base_url}/invoice/{invoice['id']}"


def _invoice_proof(world: "World", form: dict[str, str] | None, invoice_id: str, card: str) -> Page:
    if form is None:
        return _page("Confirm", _PROOF)
    if form["outcome"] == "complete":
        world.engine.post(f"/stand_in/authenticated/{card}/v1/invoices/{invoice_id}/pay", payment_method=card)
    return Page(303, location=f"{world.base_url}/invoice/{invoice_id}")


def _portal(world: "World", form: dict[str, str] | None, session_id: str) -> Page:
    session = portal.find(world, session_id)
    alert = ""
    if form is not None:
        try:
            portal.act(world, session["customer"], form, _card(form) if "number" in form else None)
            return Page(303, location=session["url"])
        except Refused as no:
            alert = _alert(no.message)
    shown = "".join(
        f'<li><form method="post">{escape(one["card"]["brand"])} {one["card"]["last4"]}'
        f"{' (default)' if one['default'] else ''} "
        f'<button name="default" value="{one["id"]}">Make default</button> '
        f'<button name="remove" value="{one["id"]}">Remove</button></form></li>'
        for one in portal.cards(world, session["customer"])
    )
    back = f'<p><a href="{escape(session["return_url"])}">Back</a></p>' if session["return_url"] else ""
    return _page("Your cards", f"{alert}<ul>{shown}</ul>{_CARD.format(button='Add card')}{back}", 402 if alert else 200)


_PAGES: list[tuple[str, Callable[..., Page]]] = [
    ("/pay/([^/]+)", _checkout),
    ("/pay/([^/]+)/authenticate", _checkout_proof),
    ("/invoice/([^/]+)", _invoice),
    ("/invoice/([^/]+)/authenticate/([^/]+)", _invoice_proof),
    ("/portal/([^/]+)", _portal),
]


def respond(world: "World", path: str, form: dict[str, str] | None) -> Page:
    """The page at the path; form: what was posted to it, None for a look."""
    for pattern, page in _PAGES:
        if matched := re.fullmatch(pattern, path):
            try:
                return page(world, form, *matched.groups())
            except Refused as no:
                return _page("Not possible", _alert(no.message), no.status)
    return _page("Not found", "", 404)
