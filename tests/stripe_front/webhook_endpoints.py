"""Webhook endpoints as the API makes, changes and ends them. Source: https://docs.stripe.com/api/webhook_endpoints."""

from typing import TYPE_CHECKING

from tests.stripe_front import contract
from tests.stripe_front.events import Endpoint
from tests.stripe_front.routes import Json, Route, missing, new_id, page

if TYPE_CHECKING:
    from tests.stripe_front.world import World

_CHANGEABLE = ("url", "enabled_events", "description", "metadata")


def create(world: "World", params: Json) -> Json:
    """`POST /v1/webhook_endpoints`: the only answer that has the secret."""
    shown = contract.blank("webhook_endpoint") | {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "created": int(world.now()),
        "livemode": False,
        "status": "enabled",
        "api_version": params.get("api_version"),
        **{name: params[name] for name in _CHANGEABLE if name in params},
    }
    shown["metadata"] = shown["metadata"] or {}
    shown.pop("secret")
    newest = world.events()[-1:]
    endpoint = Endpoint(shown, new_id("whsec"), seen=newest[0]["id"] if newest else None)
    world.endpoints[shown["id"]] = endpoint
    return {**shown, "secret": endpoint.secret}


def _find(world: "World", endpoint_id: str) -> Endpoint:
    if endpoint_id not in world.endpoints:
        raise missing("webhook_endpoint", endpoint_id)
    return world.endpoints[endpoint_id]


def retrieve(world: "World", _: Json, endpoint_id: str) -> Json:
    """`GET /v1/webhook_endpoints/{id}`."""
    return _find(world, endpoint_id).shown


def update(world: "World", params: Json, endpoint_id: str) -> Json:
    """`POST /v1/webhook_endpoints/{id}`."""
    shown = _find(world, endpoint_id).shown
    shown |= {name: params[name] for name in _CHANGEABLE if name in params}
    if "disabled" in params:
        shown["status"] = "disabled" if params["disabled"] == "true" else "enabled"
    return shown


def list_all(world: "World", params: Json) -> Json:
    """`GET /v1/webhook_endpoints`."""
    return page(world, [one.shown for one in world.endpoints.values()], params, "/v1/webhook_endpoints")


def delete(world: "World", _: Json, endpoint_id: str) -> Json:
    """`DELETE /v1/webhook_endpoints/{id}`."""
    _find(world, endpoint_id)
    del world.endpoints[endpoint_id]
    return {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True}


_ONE = "/v1/webhook_endpoints/([^/]+)"
ROUTES = [
    Route("POST", "/v1/webhook_endpoints", create),
    Route("GET", "/v1/webhook_endpoints", list_all),
    Route("GET", _ONE, retrieve),
    Route("POST", _ONE, update),
    Route("DELETE", _ONE, delete),
]
