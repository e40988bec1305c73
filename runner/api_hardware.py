"""`GET /v1/hardware`: a bare list.  Source: replicate-api.md 2.8."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runner.models import Hardware


class HardwareList(APIView):
    """The kinds of machines a model can run on."""

    def get(self, request: Request) -> Response:
        """List hardware."""
        return Response([{"sku": row.sku, "name": row.name} for row in Hardware.objects.all()])
