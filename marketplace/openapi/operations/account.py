"""The account behind the token.  Source: replicate-api.md 2.1, 2.13."""

from marketplace.openapi.operation import Operation
from marketplace.openapi.schemas import ref

OPERATIONS = (
    Operation(
        "get",
        "/account",
        "account.get",
        "Account",
        "Get the token's account",
        {"200": ref("Account")},
        answer_example={
            "type": "user",
            "username": "nina",
            "name": "Nina",
            "github_url": None,
            "avatar_url": None,
        },
    ),
    Operation(
        "get",
        "/webhooks/default/secret",
        "webhooks.default.secret.get",
        "Account",
        "Get the secret that signs webhooks",
        {"200": ref("WebhookSecret")},
        "Webhooks are signed as Standard Webhooks says: webhook-id, webhook-timestamp, webhook-signature.",
        answer_example={"key": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"},
    ),
)
