"""Who signs up has a trial account, with its credit once; other modes are entered by payment or by operators."""

import datetime

import pytest
from allauth.account.models import EmailAddress
from allauth.account.signals import email_confirmed
from django.utils import timezone

from accounts.models import Account, AuditEntry
from accounts.signals import account_created
from billing import accounts, modes, posting, trials
from billing.models import BillingAccount, CreditBucket, UsagePosting
from marketplace.lib.problems import ValidationFailed
from tests.billing.factories import fund, use

DOLLAR = 1_000_000_000
FORM = {"username": "nina", "email": "nina@example.test", "password1": "correct horse battery"}
Mode = BillingAccount.Mode


def payer(account):
    return BillingAccount.objects.get(pk=account.pk)


def verify(account):
    address = EmailAddress.objects.create(user=account.user, email=account.user.email, verified=True)
    email_confirmed.send(sender=EmailAddress, request=None, email_address=address)


@pytest.fixture
def trial(alice, settings):
    """Alice's account as sign-up makes it where addresses are verified."""
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    account_created.send(sender=Account, account_id=alice.pk)
    return alice


def test_sign_up_makes_a_trial_account_with_its_credit(visitor):
    assert visitor.post("/accounts/signup/", FORM).status_code == 302
    nina = Account.objects.get(username="nina")
    assert (payer(nina).mode, payer(nina).spendable_nanos, payer(nina).overdraft_nanos) == (Mode.TRIAL, 5 * DOLLAR, 0)
    bucket = CreditBucket.objects.get(source=f"trial:{nina.pk}")
    assert bucket.expires_at
    assert 29 < (bucket.expires_at - timezone.now()) / datetime.timedelta(days=1) <= 30


def test_an_installation_may_give_none(visitor, settings):
    settings.BILLING_TRIAL_CREDIT_CENTS = 0
    visitor.post("/accounts/signup/", FORM)
    assert payer(Account.objects.get(username="nina")).mode == Mode.TRIAL
    assert not CreditBucket.objects.exists()


def test_where_addresses_are_verified_the_credit_waits_for_it_and_comes_once(trial):
    assert payer(trial).spendable_nanos == 0
    assert trials.grant_missing() == 0
    verify(trial)
    email_confirmed.send(sender=EmailAddress, request=None, email_address=EmailAddress.objects.get())
    assert trials.grant_missing() == 0
    assert payer(trial).spendable_nanos == 5 * DOLLAR


def test_a_sweep_grants_what_was_lost_after_the_verification(trial, stranger):
    for account in (trial, stranger):
        EmailAddress.objects.create(user=account.user, email=account.user.email, verified=True)
    assert trials.grant_missing() == 1
    assert CreditBucket.objects.get().account == trial


def test_accounts_that_operators_make_stay_internal(alice):
    verify(alice)
    assert not BillingAccount.objects.exists()
    assert accounts.billing_account(alice.pk).mode == Mode.INTERNAL


def test_the_first_payment_makes_a_trial_account_prepaid(trial):
    modes.note_payment(payer(trial))
    assert (payer(trial).mode, payer(trial).overdraft_nanos) == (Mode.PREPAID, DOLLAR)
    BillingAccount.objects.update(mode=Mode.POSTPAID)
    modes.note_payment(payer(trial))
    assert payer(trial).mode == Mode.POSTPAID


def test_an_operator_moves_an_account_and_what_was_used_before_is_posted_as_before(alice, olga):
    use(alice)
    modes.change_mode(olga.user, alice, mode=Mode.POSTPAID, reason="a contract", credit_limit_nanos=50 * DOLLAR)
    assert (payer(alice).mode, payer(alice).available_nanos) == (Mode.POSTPAID, 50 * DOLLAR)
    assert UsagePosting.objects.get().internal_nanos == 25_000
    entry = AuditEntry.objects.get(action="change_billing_mode")
    assert (entry.details["before"], entry.details["after"], entry.reason) == ("internal", "postpaid", "a contract")
    use(alice)
    posting.post_usage()
    assert payer(alice).owed_nanos == 25_000


@pytest.mark.parametrize(("mode", "limit"), [(Mode.POSTPAID, 0), (Mode.PREPAID, DOLLAR)])
def test_a_credit_limit_goes_with_postpaid_alone(alice, olga, mode, limit):
    fund(alice, 0)
    with pytest.raises(ValidationFailed, match="credit_limit_nanos"):
        modes.change_mode(olga.user, alice, mode=mode, reason="a slip", credit_limit_nanos=limit)
