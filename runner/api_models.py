"""Creating models by the API: the catalog's verb, with the hardware that the runner offers.

Source: replicate-api.md 2.5.
"""

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import caller_of
from models_catalog import lookup, publishing
from models_catalog.api import ModelListBase, json_of
from models_catalog.model_fields import parse_new_model
from models_catalog.serializers import model_documents
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
