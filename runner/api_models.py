"""Creating models by the API: the catalog's verb, with the hardware that the runner offers.  Source: replicate-api.md 2.5."""

from rest_framework.request import Request
from rest_framework.response import Response

from models_catalog import lookup, publishing
from models_catalog.api import ModelListBase
from models_catalog.model_fields import parse_new_model
from models_catalog.serializers import model_documents
from runner.models import Hardware


class ModelList(ModelListBase):
    """Models."""

    def post(self, request: Request) -> Response:
        """Create a model."""
        skus = list(Hardware.objects.values_list("sku", flat=True))
        new = parse_new_model(request.data, hardware_skus=skus)
        created = publishing.create_model(request.user, new, hardware_skus=skus)
        model = lookup.get_model(request.user, request.user.username, created.name)
        return Response(model_documents([model])[0], status=201)
