"""Websocket addresses of the runner."""

from typing import Any

websocket_urlpatterns: list[Any] = []
