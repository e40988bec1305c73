"""Who sells and who buys, as a document keeps them: later changes of name or address don't touch what was issued."""

from django.conf import settings

from accounts.models import Account
from billing.models import BillingAccount


def seller() -> dict[str, str]:
    """The operator, from the settings."""
    return {
        "name": settings.BILLING_SELLER_NAME,
        "address": settings.BILLING_SELLER_ADDRESS,
        "tax_id": settings.BILLING_SELLER_TAX_ID,
    }


def buyer(payer: BillingAccount) -> dict[str, str]:
    """The account, by its billing details, by its own name where it has given none."""
    account = Account.objects.select_related("user").get(pk=payer.account_id)
    return {
        "account": account.username,
        "name": payer.billing_name or account.name or account.username,
        "email": payer.billing_email or (account.user.email if account.user else ""),
        "address": payer.billing_address,
        "tax_id": payer.tax_id,
    }
