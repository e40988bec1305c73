"""The API of deployments. Their predictions are created in `api_predictions`.  Source: replicate-api.md 2.9."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import caller_of
from marketplace.lib.pagination import NewestFirst
from models_catalog.api import json_of
from runner import deployments
from runner.deployment_documents import deployment_document, release_document
from runner.deployment_fields import parse_changes, parse_new_deployment, parse_release_number
from runner.models import Hardware


class DeploymentList(APIView):
    """The account's deployments."""

    def get(self, request: Request) -> Response:
        """List deployments."""
        pages = NewestFirst()
        page = pages.paginate_queryset(deployments.list_deployments(caller_of(request)), request, view=self)
        return pages.get_paginated_response([deployment_document(deployment) for deployment in page])

    def post(self, request: Request) -> Response:
        """Create a deployment."""
        new = parse_new_deployment(json_of(request), hardware_skus=_skus())
        return Response(deployment_document(deployments.create(caller_of(request), new)))


class DeploymentDetail(APIView):
    """One deployment."""

    def get(self, request: Request, owner: str, name: str) -> Response:
        """Get a deployment."""
        return Response(deployment_document(deployments.get_deployment(caller_of(request), owner, name)))

    def patch(self, request: Request, owner: str, name: str) -> Response:
        """Change a deployment."""
        changes = parse_changes(json_of(request), hardware_skus=_skus())
        return Response(deployment_document(deployments.update(caller_of(request), owner, name, changes)))

    def delete(self, request: Request, owner: str, name: str) -> Response:
        """Delete a deployment."""
        deployments.delete(caller_of(request), owner, name)
        return Response(status=204)


class ReleaseList(APIView):
    """A deployment's releases."""

    def get(self, request: Request, owner: str, name: str) -> Response:
        """List releases."""
        deployment = deployments.get_deployment(caller_of(request), owner, name)
        pages = NewestFirst()
        page = pages.paginate_queryset(deployments.list_releases(deployment), request, view=self)
        return pages.get_paginated_response([release_document(release, deployment.account) for release in page])


class Rollback(APIView):
    """Going back to an earlier release."""

    def post(self, request: Request, owner: str, name: str) -> Response:
        """Roll back."""
        number = parse_release_number(json_of(request))
        return Response(deployment_document(deployments.roll_back(caller_of(request), owner, name, number)))


def _skus() -> list[str]:
    return list(Hardware.objects.values_list("sku", flat=True))
