"""Checkout Sessions of the modes `setup` and `payment`, and what their hosted page does with a card.

Source: https://docs.stripe.com/api/checkout/sessions; billing.md 14.3 A and B.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.stripe_front import contract
from tests.stripe_front.engine_client import Refused
from tests.stripe_front.routes import Json, Route, expanded, missing, new_id, page, refused

if TYPE_CHECKING:
    from tests.stripe_front.world import World

_LIFETIME = 24 * 3600
_SHORTEST = 30 * 60 - 60  # a minute for the way here
_PASSED_ON = ("description", "metadata", "receipt_email", "setup_future_usage", "statement_descriptor_suffix")
_FILTERS = ("customer", "payment_intent", "setup_intent", "status")
# Parameters that would change what is charged or shown, and that nothing here heeds.
_NOT_MODELLED = ("discounts", "optional_items", "shipping_options", "subscription_data", "invoice_creation", "ui_mode")


@dataclass
class Session:
    """shown: what the API shows; intent_data: how to pay; card: the one that waits for its owner's proof."""

    shown: Json
    intent_data: Json
    lines: list[Json] = field(default_factory=list)
    card: str | None = None

    @property
    def intents(self) -> str:
        """The collection its intent is in."""
        return "setup_intents" if self.shown["mode"] == "setup" else "payment_intents"

    @property
    def intent(self) -> str | None:
        """The intent's id, once there is one."""
        found: str | None = self.shown[self.intents.removesuffix("s")]
        return found


def create(world: "World", params: Json) -> Json:
    """`POST /v1/checkout/sessions`."""
    mode = params.get("mode")
    if mode not in {"setup", "payment"}:
        raise refused("The stand-in knows the modes setup and payment.", param="mode")
    if "success_url" not in params:
        raise refused("Missing required param: success_url.", code="parameter_missing", param="success_url")
    if customer := params.get("customer"):
        _require_customer(world, customer)
    _require_times(world, params)
    if mode == "setup" and "currency" not in params:
        raise refused("Missing required param: currency.", code="parameter_missing", param="currency")
    world.not_modelled("checkout.sessions", [name for name in _NOT_MODELLED if name in params])
    if params.get("automatic_tax", {}).get("enabled") == "true":
        world.not_modelled("checkout.sessions", ["automatic_tax"])
    lines = [_line(world, asked) for asked in params.get("line_items", [])]
    if mode == "payment" and not lines:
        raise refused("`line_items` is required in `payment` mode.", code="parameter_missing", param="line_items")
    currency = lines[0]["currency"] if lines else params.get("currency")
    if any(line["currency"] != currency for line in lines):
        raise refused("All line items must have one currency.", param="line_items")
    session = Session(_shown(world, params, lines, currency), params.get(f"{_intent_kind(mode)}_data", {}), lines)
    if mode == "setup":
        intent = world.engine.post("/v1/setup_intents", customer=customer, **_passed_on(session))
        session.shown["setup_intent"] = intent["id"]
    world.sessions[session.shown["id"]] = session
    return expanded(world, _whole(session, params), params.get("expand", []))


def _require_times(world: "World", params: Json) -> None:
    lifetime = int(params.get("expires_at", world.now() + _LIFETIME)) - world.now()
    if not _SHORTEST <= lifetime <= _LIFETIME:
        raise refused("`expires_at` must be between 30 minutes and 24 hours from now.", param="expires_at")


def _intent_kind(mode: str) -> str:
    return "setup_intent" if mode == "setup" else "payment_intent"


def _require_customer(world: "World", customer: str) -> None:
    try:
        deleted = world.engine.get(f"/v1/customers/{customer}").get("deleted")
    except Refused:
        deleted = True
    if deleted:
        raise missing("customer", customer, status=400)


def _line(world: "World", asked: Json) -> Json:
    """One line item as the API lists it."""
    if "tax_rates" in asked:
        world.not_modelled("checkout.sessions", ["line_items[tax_rates]"])
    quantity = int(asked.get("quantity", 1))
    if price_id := asked.get("price"):
        price = world.engine.get(f"/v1/prices/{price_id}")
        amount, currency, description = price["unit_amount"], price["currency"], price["nickname"]
    else:
        price = None
        data = asked["price_data"]
        amount, currency = int(data["unit_amount"]), data["currency"]
        description = data.get("product_data", {}).get("name")
    total = {"amount_subtotal": amount * quantity, "amount_total": amount * quantity}
    fixed = {"object": "item", "amount_discount": 0, "amount_tax": 0, "price": price}
    return {
        "id": new_id("li"),
        **fixed,
        **total,
        "currency": currency,
        "description": description,
        "quantity": quantity,
    }


def _shown(world: "World", params: Json, lines: list[Json], currency: str | None) -> Json:
    session_id = new_id("cs_test")
    total = sum(line["amount_total"] for line in lines) if lines else None
    now = int(world.now())
    return contract.blank("checkout.session") | {
        "id": session_id,
        "object": "checkout.session",
        "livemode": False,
        "created": now,
        "expires_at": int(params.get("expires_at", now + _LIFETIME)),
        "mode": params["mode"],
        "status": "open",
        "payment_status": "unpaid" if params["mode"] == "payment" else "no_payment_required",
        "url": f"{world.base_url}/pay/{session_id}",
        "amount_subtotal": total,
        "amount_total": total,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0} if lines else None,
        "currency": currency,
        "customer": params.get("customer"),
        "customer_email": params.get("customer_email"),
        "client_reference_id": params.get("client_reference_id"),
        "metadata": params.get("metadata", {}),
        "success_url": params["success_url"],
        "cancel_url": params.get("cancel_url"),
        "adaptive_pricing": {"enabled": params.get("adaptive_pricing", {}).get("enabled") == "true"},
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "payment_method_types": ["card"],
        "payment_method_options": {},
        "custom_fields": [],
        "custom_text": dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")),
        "shipping_options": [],
        "phone_number_collection": {"enabled": False},
        "ui_mode": "hosted",
    }


def _passed_on(session: Session) -> Json:
    return {name: session.intent_data[name] for name in _PASSED_ON if name in session.intent_data}


def _whole(session: Session, params: Json) -> Json:
    """As shown, with what only `expand` brings."""
    if "line_items" not in params.get("expand", []):
        return {name: value for name, value in session.shown.items() if name != "line_items"}
    return {**session.shown, "line_items": _listed_lines(session)}


def _listed_lines(session: Session) -> Json:
    url = f"/v1/checkout/sessions/{session.shown['id']}/line_items"
    return {"object": "list", "data": session.lines, "has_more": False, "url": url}


def retrieve(world: "World", params: Json, session_id: str) -> Json:
    """`GET /v1/checkout/sessions/{id}`."""
    return expanded(world, _whole(find(world, session_id), params), params.get("expand", []))


def find(world: "World", session_id: str) -> Session:
    """The session, which may just have expired; raises Refused if there is none."""
    session = world.sessions.get(session_id)
    if session is None:
        raise missing("checkout.session", session_id)
    if session.shown["status"] == "open" and session.shown["expires_at"] <= world.now():
        end(world, session)
    return session


def list_all(world: "World", params: Json) -> Json:
    """`GET /v1/checkout/sessions`."""
    shown = [find(world, session_id).shown for session_id in list(world.sessions)]
    fitting = [one for one in shown if all(one[name] == params[name] for name in _FILTERS if name in params)]
    return page(world, fitting, params, "/v1/checkout/sessions")


def list_lines(world: "World", _: Json, session_id: str) -> Json:
    """`GET /v1/checkout/sessions/{id}/line_items`."""
    return _listed_lines(find(world, session_id))


def expire(world: "World", _: Json, session_id: str) -> Json:
    """`POST /v1/checkout/sessions/{id}/expire`."""
    session = find(world, session_id)
    if session.shown["status"] != "open":
        raise refused("Only Checkout Sessions with a status in [open] can be expired.")
    end(world, session)
    return session.shown


def end(world: "World", session: Session) -> None:
    """Close an open session unpaid."""
    session.shown |= {"status": "expired", "url": None}
    if session.intent:
        world.engine.post(f"/v1/{session.intents}/{session.intent}/cancel")
    world.emit("checkout.session.expired", session.shown)


def pay(world: "World", session: Session, card: Json) -> bool:
    """The customer gives a card on the hosted page. False: its bank wants to see them first. Raises Refused."""
    method = world.engine.post("/v1/payment_methods", type="card", card=card)["id"]
    if not session.intent:
        intent = world.engine.post(
            "/v1/payment_intents",
            amount=session.shown["amount_total"],
            currency=session.shown["currency"],
            customer=session.shown["customer"],
            **_passed_on(session),
        )
        session.shown["payment_intent"] = intent["id"]
    slowly = "/stand_in/slowly" if world.slow_payments and session.shown["mode"] == "payment" else ""
    path = f"{slowly}/v1/{session.intents}/{session.intent}/confirm"
    return _after(world, session, method, world.engine.post(path, payment_method=method))


def authenticate(world: "World", session: Session) -> None:
    """The customer has proved who they are to the bank of the card that waits. Raises Refused."""
    method = session.card
    path = f"/stand_in/authenticated/{method}/v1/{session.intents}/{session.intent}/confirm"
    _after(world, session, str(method), world.engine.post(path, payment_method=method))


def _after(world: "World", session: Session, method: str, intent: Json) -> bool:
    if intent["status"] == "requires_action":
        session.card = method
        return False
    keeps = session.intent_data.get("setup_future_usage") and session.shown["customer"]
    if session.shown["mode"] == "payment" and keeps:
        world.engine.post(f"/v1/payment_methods/{method}/attach", customer=session.shown["customer"])
    session.shown |= {"status": "complete", "url": None}
    if session.shown["mode"] == "payment" and intent["status"] == "succeeded":
        session.shown["payment_status"] = "paid"
    world.emit("checkout.session.completed", session.shown)
    return True


def settle_slow(world: "World", intent: str, *, ok: bool) -> None:
    """The intent's payment, which was under way when its session was completed, has arrived or has not."""
    for session in world.sessions.values():
        if session.shown["payment_intent"] == intent and session.shown["status"] == "complete":
            session.shown["payment_status"] = "paid" if ok else "unpaid"
            result = "succeeded" if ok else "failed"
            world.emit(f"checkout.session.async_payment_{result}", session.shown)


def success_url(session: Session) -> str:
    """Where the customer goes afterwards."""
    url: str = session.shown["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", session.shown["id"])


_ONE = "/v1/checkout/sessions/([^/]+)"
ROUTES = [
    Route("POST", "/v1/checkout/sessions", create),
    Route("GET", "/v1/checkout/sessions", list_all),
    Route("GET", _ONE, retrieve),
    Route("GET", f"{_ONE}/line_items", list_lines),
    Route("POST", f"{_ONE}/expire", expire),
]
