"""A client of the real ASGI application, in this process, for tests written without `async`.

One event loop lives in a thread for the whole session; each request runs there, as under a server. The database is
reached by threads of its own, so these tests commit what they write and clean up after themselves.
Imports of ours are inside: plugins are loaded before Django is.
"""

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import anyio.from_thread
import httpx
import orjson
import pytest

if TYPE_CHECKING:
    from accounts.models import Account

BASE_URL = "http://api.test"


class ApiClient:
    """Requests with a token, or without one for `token=None`."""

    def __init__(self, portal: anyio.from_thread.BlockingPortal, token: str | None) -> None:
        self._portal = portal
        self.token = token

    def request(self, method: str, path: str, *, raise_app_exceptions: bool = True, **options: Any) -> httpx.Response:
        """One request; `path` may be one of our absolute URLs."""
        from marketplace.asgi import application

        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= options.pop("headers", {})

        async def call() -> httpx.Response:
            app: Any = application  # our messages are dicts, httpx's any mappings
            transport = httpx.ASGITransport(app, raise_app_exceptions=raise_app_exceptions)
            async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
                return await client.request(method, path, headers=headers, **options)

        return self._portal.call(call)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        """POST, of JSON where given."""
        if json is not None:
            options["content"] = orjson.dumps(json)
        return self.request("POST", path, **options)


@pytest.fixture(scope="session")
def event_loop_thread() -> Iterator[anyio.from_thread.BlockingPortal]:
    """An event loop in a thread; at its end the database threads let go of their connections."""
    with anyio.from_thread.start_blocking_portal() as portal:
        yield portal
    from django.db import connection

    from marketplace.lib import dbthreads

    pool = dbthreads._pool()
    together = threading.Barrier(pool._max_workers)

    def let_go(_: int) -> None:
        together.wait()
        connection.close()

    list(pool.map(let_go, range(pool._max_workers)))


@pytest.fixture(scope="session", autouse=True)
def quick_clean_up() -> Iterator[None]:
    """Tests that commit leave no rows but those of migrations; Django's own way takes longer, and all rows."""
    from django.test import TransactionTestCase

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: empty_tables())
        yield


@pytest.fixture
def committed(transactional_db: None) -> None:
    """What the test writes is committed, for other threads to see, and gone after it. Caches start empty."""
    from accounts import tokens
    from billing import prices, spending
    from models_catalog import lookup
    from runner import waiting

    prices.forget()
    waiting.forget()
    spending.forget()
    lookup.forget_facts()
    tokens.forget(list(tokens._cache))


@pytest.fixture(autouse=True)
def prices_anew() -> None:
    """No test sees the prices of another one, which are gone with it."""
    from billing import prices

    prices.forget()


SEEDED_PRICES_FROM = "2026-01-01T00:00:00Z"
SEEDED = {"django_migrations", "django_content_type", "auth_permission", "runner_hardware", "billing_price"}


def empty_tables() -> None:
    """Remove all rows but the seeds."""
    from django.db import connection

    tables = set(connection.introspection.django_table_names(only_existing=True)) - SEEDED
    with connection.cursor() as cursor:
        checks = (f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM \"{name}\")" for name in sorted(tables))
        cursor.execute(" UNION ALL ".join(checks))
        filled = cursor.fetchall()
        # Without triggers: append-only tables too, in any order, and prices stay though they may name an account.
        cursor.execute("SET session_replication_role = replica")
        for (name,) in filled:
            cursor.execute(f'DELETE FROM "{name}"')
        cursor.execute(
            "DELETE FROM billing_price WHERE account_id IS NOT NULL OR sku LIKE %s OR effective_from <> %s",
            ["model:%", SEEDED_PRICES_FROM],
        )
        cursor.execute("SET session_replication_role = DEFAULT")


@pytest.fixture
def alice(committed: None) -> "Account":
    """Who owns things."""
    from tests.accounts.factories import AccountFactory

    return AccountFactory.create(username="alice")


@pytest.fixture
def stranger(committed: None) -> "Account":
    """Who must not see Alice's private things."""
    from tests.accounts.factories import AccountFactory

    return AccountFactory.create(username="stranger")


@pytest.fixture
def api(alice: "Account", event_loop_thread: anyio.from_thread.BlockingPortal) -> ApiClient:
    """Alice's requests."""
    from tests.accounts.factories import token_for

    return ApiClient(event_loop_thread, token_for(alice))


@pytest.fixture
def stranger_api(stranger: "Account", event_loop_thread: anyio.from_thread.BlockingPortal) -> ApiClient:
    """The stranger's requests."""
    from tests.accounts.factories import token_for

    return ApiClient(event_loop_thread, token_for(stranger))


@pytest.fixture
def anonymous_api(committed: None, event_loop_thread: anyio.from_thread.BlockingPortal) -> ApiClient:
    """Requests without a token."""
    return ApiClient(event_loop_thread, None)
