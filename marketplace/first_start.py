"""What a new installation needs before anybody can sign in: an operator, a token, and words that say so.

Both secrets are also kept under VAR_DIR, readable by nobody else; whoever changed them may delete the files.
"""

import os
import secrets
import textwrap
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from accounts import tokens
from accounts.access import create_personal_account
from accounts.models import Account, User

OPERATOR = "operator"  # not `admin`: its account's address would be the console's
PASSWORD_FILE = "admin-password"  # noqa: S105 - the file's name
TOKEN_FILE = "admin-token"  # noqa: S105
_TRIED_MODEL = "modelyard/hello-stream"


@dataclass(frozen=True)
class Operator:
    """Who may sign in, as far as this installation's files know. None: not made by us, or forgotten."""

    username: str
    password: str | None
    token: str | None


def ensure_operator(var_dir: Path) -> Operator:
    """Make the first operator where there is none, with a random password and a token. Says what the files know."""
    with transaction.atomic():
        if not User.objects.filter(is_superuser=True).exists():
            _create(var_dir)
    user = User.objects.filter(is_superuser=True).order_by("pk")[0]
    password = _read(var_dir / PASSWORD_FILE)
    token = _read(var_dir / TOKEN_FILE)
    return Operator(
        user.username,
        password if password and user.check_password(password) else None,
        token if token and tokens.find_caller(token) else None,
    )


def _create(var_dir: Path) -> None:
    password = secrets.token_urlsafe(15)
    user = User.objects.create_superuser(OPERATOR, f"{OPERATOR}@localhost", password)
    account: Account = create_personal_account(user)
    _, token = tokens.issue(account, name="first start", created_by=user)
    # Before the commit: a password that nobody knows would be worse than a file that nobody needs.
    _write(var_dir / PASSWORD_FILE, password)
    _write(var_dir / TOKEN_FILE, token)


def greeting(public_url: str, operator: Operator, var_dir: Path) -> str:
    """The block that `manage.py serve` prints when all is up."""
    password = operator.password or "(as you set it)"
    kept = f"   (kept in {var_dir / PASSWORD_FILE})" if operator.password else ""
    token = operator.token or "$REPLICATE_API_TOKEN"
    return textwrap.dedent(f"""
        ────────────────────────────────────────────────────────────────────────
          Modelyard is up:  {public_url}

          Sign in as        {operator.username}
          with password     {password}{kept}
          Console           {public_url}/admin/

          Try the API, as soon as the samples are published:

            curl -s {public_url}/v1/models/{_TRIED_MODEL}/predictions \\
              -H "Authorization: Bearer {token}" \\
              -H "Content-Type: application/json" -H "Prefer: wait" \\
              -d '{{"input": {{"prompt": "hello from curl"}}}}'

          Stop with Ctrl-C.
        ────────────────────────────────────────────────────────────────────────
    """).rstrip()


def _read(path: Path) -> str | None:
    return path.read_text().strip() if path.exists() else None


def _write(path: Path, secret: str) -> None:
    path.unlink(missing_ok=True)
    with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(secret + "\n")
