"""The API of accounts: who a token speaks for, and its webhook secret.  Source: replicate-api.md 2.1, 2.13."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import caller_of
from accounts.models import Account


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


class WebhookSecret(APIView):
    """The secret that signs the account's webhooks: one per account, stable."""

    def get(self, request: Request) -> Response:
        """Get the secret."""
        return Response({"key": Account.objects.get(pk=caller_of(request).account_id).webhook_secret})
