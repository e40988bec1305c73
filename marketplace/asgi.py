"""The web process: what uvicorn serves. Each kind of request takes the shortest way to what answers it.

`/v1`, stored files, Stripe's webhooks and health go through the lean stack of `API_MIDDLEWARE`; pages through the full
one; static files and websockets meet neither. While the process lives it listens for what it should forget.
"""

import os
from typing import cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")

from django.core.asgi import get_asgi_application

pages = get_asgi_application()  # loads the apps, so everything below is imported after it

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.conf import settings

from marketplace.lean_handler import LeanHandler
from marketplace.lib.asgi_types import Application, Receive, Scope, Send
from marketplace.lifespan import lifespan
from marketplace.request_bodies import bounded
from marketplace.staticfiles import static_files
from marketplace.websocket_origin import same_origin
from runner.routing import websocket_urlpatterns

_LEAN_PREFIXES = ("/v1/", "/files/", "/webhooks/")
_LEAN_PATHS = {"/v1", "/health"}

lean = bounded(LeanHandler())
full = bounded(pages)
static = static_files()
websockets = same_origin(cast(Application, AuthMiddlewareStack(URLRouter(websocket_urlpatterns))))


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI 3."""
    match scope["type"]:
        case "http":
            await _http(scope, receive, send)
        case "websocket":
            await websockets(scope, receive, send)
        case "lifespan":
            await lifespan(receive, send)


async def _http(scope: Scope, receive: Receive, send: Send) -> None:
    path = scope["path"]
    if path.startswith(settings.STATIC_URL):
        await static(scope, receive, send)
    elif path.startswith(_LEAN_PREFIXES) or path in _LEAN_PATHS:
        if path.startswith("/v1/v1/"):  # some clients add the prefix themselves.  Source: replicate-api.md 1.1
            scope = {**scope, "path": path[3:]}
        elif path == "/v1":  # among pages it would be somebody's profile
            scope = {**scope, "path": "/v1/"}
        await lean(scope, receive, send)
    else:
        await full(scope, receive, send)
