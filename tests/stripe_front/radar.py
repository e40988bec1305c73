"""Early fraud warnings, which the card networks send. Source: https://docs.stripe.com/api/radar/early_fraud_warnings."""

from typing import TYPE_CHECKING

from tests.stripe_front.routes import Json, Route, missing, new_id

if TYPE_CHECKING:
    from tests.stripe_front.world import World


def warn(world: "World", charge: str) -> Json:
    """A network says that the charge is probably fraud."""
    shown = {
        "id": new_id("issfr"),
        "object": "radar.early_fraud_warning",
        "actionable": True,
        "charge": charge,
        "created": int(world.now()),
        "fraud_type": "unauthorized_use_of_card",
        "livemode": False,
        "payment_intent": world.engine.get(f"/v1/charges/{charge}")["payment_intent"],
    }
    world.warnings[shown["id"]] = shown
    world.emit("radar.early_fraud_warning.created", shown)
    return shown


def retrieve(world: "World", _: Json, warning: str) -> Json:
    """`GET /v1/radar/early_fraud_warnings/{id}`."""
    if warning not in world.warnings:
        raise missing("early_fraud_warning", warning)
    return world.warnings[warning]


ROUTES = [Route("GET", "/v1/radar/early_fraud_warnings/([^/]+)", retrieve)]
