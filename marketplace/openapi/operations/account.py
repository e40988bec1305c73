"""The account behind the token.  Source: replicate-api.md 2.1, 2.13."""

from marketplace.openapi.operation import Operation
from marketplace.openapi.schemas import ref

_SETTINGS = {"api_data_kept_seconds": 86400, "effective_api_data_kept_seconds": 86400}

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
        "/account/settings",
        "account.settings.get",
        "Account",
        "Get the account's settings",
        {"200": ref("AccountSettings")},
        "Extension: how long input, output, logs and files of API predictions are kept after their end.",
        answer_example=_SETTINGS,
    ),
    Operation(
        "patch",
        "/account/settings",
        "account.settings.update",
        "Account",
        "Change the account's settings",
        {"200": ref("AccountSettings")},
        "Extension: `api_data_kept_seconds` counts for what has ended already too. null is as the installation says.",
        body=ref("AccountSettingsChanges"),
        body_example={"api_data_kept_seconds": 86400},
        answer_example=_SETTINGS,
        errors=("400",),
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
    Operation(
        "post",
        "/webhooks/default/secret/rotate",
        "webhooks.default.secret.rotate",
        "Account",
        "Change the secret that signs webhooks",
        {"200": ref("WebhookSecretRotation")},
        "Extension: a new secret at once. For 24 hours every webhook carries two signatures, the second one by the "
        "secret before, so that no receiver refuses one meanwhile. Rotating twice ends a leaked secret at once.",
        answer_example={
            "key": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
            "previous_signs_until": "2026-01-03T03:04:05.678901Z",
        },
    ),
)
