"""What a new user gets besides a row: a personal account of the same name."""

import re
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.access import create_personal_account
from accounts.models import Account
from accounts.signals import account_created

NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,38}")
# First segments of the site's own addresses: an account of such a name could not be reached.
RESERVED_NAMES = frozenset(
    {
        "about", "account", "accounts", "admin", "api", "blog", "changelog", "collections", "dashboard", "docs",
        "explore", "favicon.ico", "files", "health", "help", "home", "legal", "login", "logout", "metrics", "model",
        "models", "modelyard", "new", "p", "predictions", "pricing", "privacy", "publish", "search", "settings",
        "signup", "static", "status", "support", "terms", "usage", "user", "users", "v1", "v2", "web", "webhooks", "ws",
    }
)  # fmt: skip


class SignupAdapter(DefaultAccountAdapter):
    """allauth's hooks: names fit for a path, and the account made with the user in one transaction."""

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """A lower-case path segment, not one of the site's own, not taken by any account."""
        name = super().clean_username(username.strip().lower(), shallow)
        if not NAME_PATTERN.fullmatch(name):
            raise ValidationError(
                "Use lower-case letters, digits and hyphens, starting with a letter or digit (at most 39)."
            )
        if name in RESERVED_NAMES or Account.objects.filter(username=name).exists():
            raise ValidationError("This name is taken.")
        return str(name)

    def save_user(self, request: Any, user: Any, form: Any, commit: bool = True) -> Any:
        """The user, the account, and what receivers of `account_created` make of it: all or nothing."""
        with transaction.atomic():
            saved = super().save_user(request, user, form, commit)
            if commit:
                account = create_personal_account(saved)
                account_created.send(sender=Account, account_id=account.pk)
        return saved

    def pre_login(self, request: Any, user: Any, **options: Any) -> Any:
        """A suspended account's user knows the password and is told, but is not signed in."""
        if Account.objects.filter(user=user, suspended_at__isnull=False).exists():
            user.is_active = False  # in memory only: allauth refuses it as it refuses inactive users
        return super().pre_login(request, user, **options)
