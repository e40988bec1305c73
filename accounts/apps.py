"""App configuration."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, accounts, tokens, audit."""

    name = "accounts"
