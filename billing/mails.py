"""Mails about money, sent once what they tell is committed. A mail that can't be sent is logged and forgiven."""

import smtplib
from functools import partial

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction

from billing.models import BillingAccount

log = structlog.get_logger(__name__)


def send_after_commit(account_id: int, subject: str, text: str) -> None:
    """Tell who pays for the account: at its billing address, else the address of its user. None is no error."""
    transaction.on_commit(partial(_send, account_id, subject, text))


def address_of(payer: BillingAccount) -> str:
    """Where mails about money go; "" for nowhere."""
    user = payer.account.user
    return payer.billing_email or (user.email if user else "")


def _send(account_id: int, subject: str, text: str) -> None:
    payer = BillingAccount.objects.select_related("account__user").get(pk=account_id)
    if not (address := address_of(payer)):
        return
    link = f"{settings.PUBLIC_URL}/account/billing"
    body = f"{text}\n\n{settings.SITE_NAME} account {payer.account.username}: {link}\n"
    try:
        send_mail(f"[{settings.SITE_NAME}] {subject}", body, None, [address])
    except (smtplib.SMTPException, OSError) as error:
        log.error("billing_mail_lost", account_id=account_id, subject=subject, error=type(error).__name__)
