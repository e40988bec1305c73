"""Websocket addresses of the runner."""

from typing import Any

from django.urls import path

from runner.build_consumers import BuildConsumer
from runner.consumers import PredictionConsumer

# Channels' URLRouter takes ASGI applications where Django's types want views.
websocket_urlpatterns: list[Any] = [
    path("ws/builds/<int:build_id>", BuildConsumer.as_asgi()),  # type: ignore[arg-type]
    path("ws/predictions/<str:prediction_id>", PredictionConsumer.as_asgi()),  # type: ignore[arg-type]
]
