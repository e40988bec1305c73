"""Creating and deleting models by the API: what needs to know of hardware, predictions and deployments.

Source: replicate-api.md 2.5, 2.6.
"""

import contextlib

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import caller_of
from billing.price_documents import resolved_document
from billing.prices import PriceMissing, resolve
from models_catalog import api as catalog
from models_catalog import lookup, publishing
from models_catalog.api import ModelListBase, json_of
from models_catalog.model_fields import parse_new_model
from models_catalog.serializers import model_documents
from runner import deletion
from runner.models import Hardware


class ModelList(ModelListBase):
    """Models."""

    def post(self, request: Request) -> Response:
        """Create a model."""
        skus = list(Hardware.objects.values_list("sku", flat=True))
        new = parse_new_model(json_of(request), hardware_skus=skus)
        created = publishing.create_model(caller_of(request), new, hardware_skus=skus)
        model = lookup.get_model(caller_of(request), caller_of(request).username, created.name)
        return Response(model_documents([model])[0], status=201)


class ModelDetail(catalog.ModelDetail):
    """One model."""

    def get(self, request: Request, owner: str, name: str) -> Response:
        """Get a model, with what a run costs who asks. (Left out where nothing has a price.)"""
        answer = super().get(request, owner, name)
        caller, document = caller_of(request), answer.data
        model = lookup.get_model(caller, owner, name)
        with contextlib.suppress(PriceMissing):
            document["pricing"] = resolved_document(resolve(model.full_name, model.hardware, caller.account_id))
        return answer

    def delete(self, request: Request, owner: str, name: str) -> Response:
        """Delete a model."""
        deletion.delete_model(caller_of(request), owner, name)
        return Response(status=204)


class VersionDetail(catalog.VersionDetail):
    """One version."""

    def delete(self, request: Request, owner: str, name: str, version_id: str) -> Response:
        """Delete a version. Its data are removed later."""
        deletion.delete_version(caller_of(request), owner, name, version_id)
        return Response(status=202)
