"""What customers and Stripe do to this site, in one line each; and what must hold afterwards."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from django.db import connection, transaction
from django.db.models import Sum

from accounts.models import Account
from billing import accounts, cards, checkout, credit, customers, ledger, stripe_events, top_ups
from billing.models import BillingAccount, CreditBucket, LedgerTxn, PaymentMethod, TopUp
from billing.stripe_gateway import balance
from marketplace.lib.ids import new_id
from tests.plugins.api_client import ApiClient
from tests.stripe_front import customer
from tests.stripe_front.world import World

WEBHOOKS = "/webhooks/stripe"
INTENTS = "/v1/payment_intents"
CENT = 10_000_000
DOLLAR = 100 * CENT


@dataclass
class StripeSite:
    """The world is Stripe's side, `api` the way in for webhooks."""

    world: World
    api: ApiClient

    def post(self, body: bytes, headers: dict[str, str]) -> int:
        """Deliver one webhook; how it was answered."""
        status: int = self.api.post(WEBHOOKS, content=body, headers=headers).status_code
        return status

    def drain(self) -> None:
        """Deliver and process webhooks until nothing more comes."""
        while True:
            delivered = self.world.drain(self.post)
            if not stripe_events.process_due() and not any(one.ok for one in delivered):
                return

    def save_card(self, account: Account, number: str = customer.OK) -> PaymentMethod:
        """Save a card without a page."""
        customer_id = customers.ensure_customer(account.pk)
        card_id = self.world.attach_card(customer_id, number)
        cards.sync(account.pk)
        return PaymentMethod.objects.get(pk=card_id)

    def pay(self, url: str, card: str = customer.OK) -> TopUp | None:
        """Pay on a hosted page and come back to the site."""
        return checkout.settle_session(self.world.pay(url, card).rsplit("=", 1)[1])

    def buy(self, account: Account, cents: int = 5000) -> TopUp:
        """Credit, with the saved card."""
        return top_ups.buy_with_saved_card(account.pk, cents)

    def delete_customer(self, customer_id: str) -> None:
        """As in Stripe's dashboard."""
        key = {"Authorization": f"Bearer {self.world.secret_key}"}
        httpx.delete(f"{self.world.base_url}/v1/customers/{customer_id}", headers=key).raise_for_status()

    def charges(self) -> int:
        """How often a card was really charged."""
        return sum(one["status"] == "succeeded" for one in self.world.engine.get("/v1/charges", limit=100)["data"])

    def sent(self, path: str) -> list[str | None]:
        """The idempotency keys of the calls of a path."""
        return [call.key for call in self.world.calls if call.method == "POST" and call.path == path]


def credit_of(account: Account) -> int:
    """What the account may spend, in cents; and its buckets, its wallet and the ledger agree about it."""
    payer = accounts.billing_account(account.pk)
    wallet, promo = (-ledger.balance(f"{kind}:{account.pk}") for kind in ("wallet", "promo"))
    buckets = CreditBucket.objects.filter(account=account).aggregate(total=Sum("remaining_nanos", default=0))["total"]
    payer.refresh_from_db()
    assert payer.spendable_nanos == wallet + promo
    assert buckets - wallet - promo >= 0
    return payer.spendable_nanos // CENT


def top_up_postings() -> int:
    """How often credit was posted for a payment."""
    return LedgerTxn.objects.filter(kind="top_up").count()


def assert_books_agree_with_stripe() -> None:
    """I21: what the ledger has at Stripe is what lies there."""
    assert ledger.balance("psp_clearing") == balance.balance_cents("usd") * CENT


def enable_reload(account: Account, threshold: int = 10, target: int = 30, **columns: object) -> None:
    """Turn auto-reload on without considering it."""
    BillingAccount.objects.filter(pk=account.pk).update(
        mode=BillingAccount.Mode.PREPAID,
        reload_enabled=True,
        reload_threshold_nanos=threshold * DOLLAR,
        reload_target_nanos=target * DOLLAR,
        **columns,
    )


def payer_of(account: Account) -> Any:
    """The `BillingAccount`: how the account pays, as it is now."""
    return BillingAccount.objects.get(pk=account.pk)


def spend(account: Account, nanos: int) -> None:
    """Usage that was posted on the wallet: from buckets, and beyond them."""
    with transaction.atomic():
        accounts.lock(account.pk)
        entries = [ledger.Entry(f"wallet:{account.pk}", nanos), ledger.Entry("revenue", -nanos)]
        txn, _ = ledger.post(f"usage:{new_id()}", "usage", entries)
        credit.consume(txn, credit.plan(account.pk, nanos))


def together(act: Callable[[], object], count: int) -> None:
    """Call it in so many threads at the same moment. Raises what one of them raised."""
    barrier = threading.Barrier(count)
    failures: list[Exception] = []

    def run() -> None:
        try:
            barrier.wait(30)
            act()
        except Exception as error:  # noqa: BLE001 - raised below, where the test sees it
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
