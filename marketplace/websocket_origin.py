"""Only pages of this site may open websockets: they carry the session's cookie, and browsers ask nobody.

The rule is Django's for forms: the origin is the host that was asked, or one of CSRF_TRUSTED_ORIGINS.
"""

from urllib.parse import urlsplit

from django.conf import settings

from marketplace.lib.asgi_types import Application, Receive, Scope, Send


def same_origin(application: Application) -> Application:
    """The application behind the check; a connection from elsewhere is refused before it is accepted."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        if is_trusted(origin, headers.get(b"host", b"").decode("latin-1")):
            await application(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 4403})

    return guarded


def is_trusted(origin: str, host: str) -> bool:
    """May a page of this origin talk to this host? Without an origin it is no browser, and has no cookie to steal."""
    return not origin or urlsplit(origin).netloc == host or origin in settings.CSRF_TRUSTED_ORIGINS
