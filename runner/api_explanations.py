"""`GET /v1/predictions/{id}/explain`, and of trainings: what happened and why. Beyond Replicate's API."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import caller_of
from billing.money import as_decimal_string, round_half_even
from marketplace.lib.timestamps import timestamp
from runner import predictions, trainings
from runner.explanation_facts import facts_of
from runner.explanations import Charge, Explanation, explain
from runner.models import Prediction


class PredictionExplanation(APIView):
    """Of one prediction."""

    def get(self, request: Request, prediction_id: str) -> Response:
        """Explain a prediction."""
        return Response(_answer(predictions.get_prediction(caller_of(request), prediction_id)))


class TrainingExplanation(APIView):
    """Of one training."""

    def get(self, request: Request, training_id: str) -> Response:
        """Explain a training."""
        return Response(_answer(trainings.get_training(caller_of(request), training_id)))


def _answer(prediction: Prediction) -> dict[str, Any]:
    return explanation_document(prediction, explain(facts_of(prediction)))


def explanation_document(prediction: Prediction, explanation: Explanation) -> dict[str, Any]:
    """As the API shows it."""
    waiting = explanation.waiting
    return {
        "id": prediction.pk,
        "status": str(prediction.status),
        "timeline": [
            {"at": timestamp(entry.at), "event": entry.name, "text": entry.sentence, "data": entry.data}
            for entry in explanation.timeline
        ],
        "waiting": {"code": waiting.code, "ahead": waiting.ahead, "text": waiting.sentence} if waiting else None,
        "hosts": [
            {"name": host.name, "code": host.code, "refused": host.is_refused, "text": host.sentence}
            for host in explanation.hosts
        ],
        "cost": _cost_document(explanation.charge, explanation.cost) if explanation.charge else None,
    }


def _cost_document(charge: Charge, text: str | None) -> dict[str, Any]:
    per_second = round_half_even(charge.rate_nanos * 1_000_000, charge.per_us)
    return {
        "text": text,
        "amount": as_decimal_string(charge.amount_nanos),
        "currency": charge.currency,
        "seconds": charge.quantity_us / 1_000_000,
        "price_per_second": as_decimal_string(per_second),
    }
