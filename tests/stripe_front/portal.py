"""Billing portal sessions, and what their page does: a customer's cards, added, made the default and removed.

Source: https://docs.stripe.com/api/customer_portal/sessions; billing.md 14.3 G.
"""

from typing import TYPE_CHECKING

from tests.stripe_front import contract
from tests.stripe_front.routes import Json, Route, missing, new_id

if TYPE_CHECKING:
    from tests.stripe_front.world import World


def create(world: "World", params: Json) -> Json:
    """`POST /v1/billing_portal/sessions`."""
    world.engine.get(f"/v1/customers/{params.get('customer')}")
    session_id = new_id("bps")
    shown = contract.blank("billing_portal.session") | {
        "id": session_id,
        "object": "billing_portal.session",
        "configuration": "bpc_of_the_stand_in",
        "created": int(world.now()),
        "customer": params["customer"],
        "livemode": False,
        "return_url": params.get("return_url"),
        "url": f"{world.base_url}/portal/{session_id}",
    }
    world.portals[session_id] = shown
    return shown


def find(world: "World", session_id: str) -> Json:
    """The session; raises Refused if there is none."""
    if session_id not in world.portals:
        raise missing("billing_portal.session", session_id)
    return world.portals[session_id]


def cards(world: "World", customer: str) -> list[Json]:
    """The customer's cards, each with `default` set."""
    settings = world.engine.get(f"/v1/customers/{customer}")["invoice_settings"]
    found = world.engine.get("/v1/payment_methods", customer=customer, limit=100)["data"]
    return [{**one, "default": one["id"] == settings["default_payment_method"]} for one in found]


def act(world: "World", customer: str, form: dict[str, str], card: Json | None) -> None:
    """Do what a button of the page says. Raises Refused."""
    if card:
        world.attach_card(customer, card["number"])
    elif one := form.get("remove"):
        world.engine.post(f"/v1/payment_methods/{one}/detach")
    elif one := form.get("default"):
        world.engine.post(f"/v1/customers/{customer}", invoice_settings={"default_payment_method": one})


ROUTES = [Route("POST", "/v1/billing_portal/sessions", create)]
