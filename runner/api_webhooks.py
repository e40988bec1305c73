"""The API of webhook deliveries: what was sent, what came of it, send it again. Beyond Replicate's API."""

import datetime
from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import caller_of
from marketplace.lib import query_parameters
from marketplace.lib.pagination import NewestFirst
from marketplace.lib.problems import FieldError, ValidationFailed
from marketplace.lib.timestamps import timestamp
from runner import webhook_log
from runner.models import WebhookAttempt, WebhookDelivery

_EVENTS = ("start", "output", "logs", "completed")


class DeliveryList(APIView):
    """The account's messages, 100 a page."""

    def get(self, request: Request) -> Response:
        """List webhook deliveries."""
        query = request.query_params
        state = query_parameters.choice(query, "state", WebhookDelivery.State.values, default="")
        rows = webhook_log.list_deliveries(caller_of(request), prediction_id=query.get("prediction", ""), state=state)
        pages = NewestFirst()
        page = pages.paginate_queryset(rows, request, view=self) or []
        return pages.get_paginated_response([delivery_document(row) for row in page])


class DeliveryDetail(APIView):
    """One message with its tries."""

    def get(self, request: Request, delivery_id: str) -> Response:
        """Get a webhook delivery."""
        return Response(delivery_with_attempts(webhook_log.get_delivery(caller_of(request), delivery_id)))


class DeliveryReplay(APIView):
    """Send one message again."""

    def post(self, request: Request, delivery_id: str) -> Response:
        """Replay a webhook delivery."""
        return Response(delivery_with_attempts(webhook_log.replay(caller_of(request), delivery_id)), status=202)


class RangeReplay(APIView):
    """Send messages of a span of time again."""

    def post(self, request: Request) -> Response:
        """Replay webhook deliveries."""
        asked = parse_range(cast(dict[str, Any], request.data))
        queued, has_more = webhook_log.replay_range(caller_of(request), **asked)
        return Response({"queued": queued, "has_more": has_more}, status=202)


def parse_range(document: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `webhook_log.replay_range`. Raises ValidationFailed with every mistake."""
    errors: list[FieldError] = []
    moments = {name: _moment(document, name, errors) for name in ("created_after", "created_before")}
    event, only_failed = document.get("event", "completed"), document.get("only_failed", False)
    if event not in _EVENTS:
        errors.append(FieldError("/event", f"Must be one of {', '.join(_EVENTS)}."))
    if not isinstance(only_failed, bool):
        errors.append(FieldError("/only_failed", "Expected a boolean."))
    if errors:
        raise ValidationFailed(errors)
    return {**moments, "event": event, "only_failed": only_failed}


def _moment(document: Mapping[str, Any], name: str, errors: list[FieldError]) -> datetime.datetime | None:
    text = document.get(name)
    try:
        found = query_parameters.moment({name: text}, name) if isinstance(text, str) else None
    except ValidationFailed:
        found = None
    if found is None:
        errors.append(FieldError(f"/{name}", "Expected a date-time like 2026-01-02T03:04:05Z."))
    return found


def delivery_document(delivery: WebhookDelivery) -> dict[str, Any]:
    """A message as the list shows it."""
    url = f"{settings.PUBLIC_URL}/v1/webhooks/deliveries/{delivery.pk}"
    return {
        "id": delivery.pk,
        "event": delivery.event,
        "prediction": delivery.prediction_id,
        "url": delivery.url,
        "state": str(delivery.state),
        "attempt_count": delivery.attempts,
        "last_status": delivery.last_status,
        "last_error": delivery.last_error or None,
        "created_at": timestamp(delivery.created_at),
        "delivered_at": timestamp(delivery.delivered_at) if delivery.delivered_at else None,
        "next_attempt_at": timestamp(delivery.next_attempt_at) if delivery.next_attempt_at else None,
        "urls": {"get": url, "replay": f"{url}/replay"},
    }


def delivery_with_attempts(delivery: WebhookDelivery) -> dict[str, Any]:
    """A message with its body and every try that came to an end, oldest first."""
    return {
        **delivery_document(delivery),
        "body": bytes(delivery.body).decode(),
        "attempts": [_attempt_document(row) for row in delivery.attempt_rows.all()],
    }


def _attempt_document(row: WebhookAttempt) -> dict[str, Any]:
    return {
        "number": row.number,
        "status": row.status,
        "error": row.error or None,
        "duration_ms": row.duration_ms,
        "ended_at": timestamp(row.created_at),
    }
