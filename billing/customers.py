"""An account's customer at Stripe: made once, known again, forgotten when it was deleted there.

Source: billing.md 14.3 A, H.
"""

import structlog
from django.db import transaction
from django.db.models import QuerySet

from billing import accounts, auto_reload_state, mails
from billing.models import BillingAccount, PaymentMethod, StripeCall
from billing.payment_problems import PaymentsAreOff, PaymentsUnavailable
from billing.stripe_gateway import payments, transport
from billing.stripe_gateway.errors import StripeFailure

log = structlog.get_logger(__name__)


def ensure_customer(account_id: int) -> str:
    """The id of the account's customer, made now where there is none. Outside of transactions.

    Raises PaymentsAreOff, PaymentsUnavailable.
    """
    if not transport.is_configured():
        raise PaymentsAreOff
    payer = accounts.billing_account(account_id)
    if payer.stripe_customer_id:
        return payer.stripe_customer_id
    account = payer.account
    try:
        customer_id = payments.create_customer(
            key=_key(account_id),
            account_id=account_id,
            name=payer.billing_name or account.username,
            email=mails.address_of(payer),
        )
    except StripeFailure as error:
        raise PaymentsUnavailable from error
    rows = BillingAccount.objects.filter(pk=account_id, stripe_customer_id=None)
    rows.update(stripe_customer_id=customer_id)
    return customer_id


def belongs_to(customer_id: str, account_id: int) -> bool:
    """Is, or was, this the account's customer? A payment may end after its customer was deleted."""
    if BillingAccount.objects.filter(pk=account_id, stripe_customer_id=customer_id).exists():
        return True
    return _made_for(account_id).filter(object_id=customer_id).exists()


def settle_customer(customer_id: str) -> None:
    """Look whether the customer is still there; forget it, and its cards, if not."""
    if payments.customer_exists(customer_id):
        return
    with transaction.atomic():
        found = BillingAccount.objects.filter(stripe_customer_id=customer_id).first()
        if found is None:
            return
        payer = accounts.lock(found.pk)
        StripeCall.objects.filter(operation=_OPERATION, object_id=customer_id).update(state=StripeCall.State.FAILED)
        PaymentMethod.objects.filter(account_id=payer.pk).delete()
        BillingAccount.objects.filter(pk=payer.pk).update(stripe_customer_id=None)
        auto_reload_state.turn_off(payer, "Your customer record with the payment service was deleted.")
        if payer.mode == BillingAccount.Mode.POSTPAID and payer.status == BillingAccount.Status.ACTIVE:
            BillingAccount.objects.filter(pk=payer.pk).update(status=BillingAccount.Status.RESTRICTED)
        accounts.tell_changed(payer.pk)
    log.warning("stripe_customer_deleted", account_id=payer.pk)


_OPERATION = "customers.create"


def _made_for(account_id: int) -> QuerySet[StripeCall]:
    own = f"cust:{account_id}"
    calls = StripeCall.objects.filter(operation=_OPERATION)
    return calls.filter(key=own) | calls.filter(key__startswith=f"{own}:")


def _key(account_id: int) -> str:
    """A new one for each customer that was refused or deleted, else the same."""
    gone = _made_for(account_id).filter(state=StripeCall.State.FAILED).count()
    return f"cust:{account_id}:{gone}" if gone else f"cust:{account_id}"
