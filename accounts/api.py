"""The API of accounts: who a token speaks for, its settings and webhook secret.  Source: replicate-api.md 2.1, 2.13."""

from typing import Any, cast

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import webhook_secrets
from accounts.authentication import caller_of
from accounts.models import Account
from accounts.preferences import Preferences, get_preferences, keep_api_data, parse_changes
from marketplace.lib.timestamps import timestamp


def account_document(account: Account) -> dict[str, str | None]:
    """An account as the API shows it; `name` is never null, because one client refuses that."""
    return {
        "type": account.kind,
        "username": account.username,
        "name": account.name or account.username,
        "github_url": account.github_url,
        "avatar_url": account.avatar_url,
    }


class CurrentAccount(APIView):
    """The account behind the token."""

    def get(self, request: Request) -> Response:
        """Get the account."""
        return Response(account_document(Account.objects.get(pk=caller_of(request).account_id)))


class AccountSettings(APIView):
    """What the account chooses for itself. An extension."""

    def get(self, request: Request) -> Response:
        """Get the settings."""
        return Response(settings_document(get_preferences(caller_of(request))))

    def patch(self, request: Request) -> Response:
        """Change what is named."""
        changes = parse_changes(cast("dict[str, Any]", request.data))
        if "api_data_kept_seconds" in changes:
            keep_api_data(caller_of(request), changes["api_data_kept_seconds"])
        return self.get(request)


def settings_document(preferences: Preferences) -> dict[str, int | None]:
    """An account's settings as the API shows them."""
    return {
        "api_data_kept_seconds": preferences.api_data_kept_seconds,
        "effective_api_data_kept_seconds": preferences.effective_seconds,
    }


class WebhookSecret(APIView):
    """The secret that signs the account's webhooks: one per account, stable until it is rotated."""

    def get(self, request: Request) -> Response:
        """Get the secret."""
        return Response({"key": webhook_secrets.get_secret(caller_of(request))})


class WebhookSecretRotation(APIView):
    """A new secret. An extension."""

    def post(self, request: Request) -> Response:
        """Rotate the secret."""
        rotation = webhook_secrets.rotate(caller_of(request))
        return Response({"key": rotation.key, "previous_signs_until": timestamp(rotation.previous_until)})
