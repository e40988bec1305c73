"""The nightly comparison of invoices: quiet over a real history, loud about what was changed by hand."""

import pytest

from billing import invoice_settling, reconciliation
from billing.models import Invoice, LedgerBalance
from tests.accounts.factories import UserFactory
from tests.billing.invoicing import closed, postpaid, used


@pytest.fixture
def history(alice):
    """Two months and a void one: paid, void, open."""
    postpaid(alice)
    operator = UserFactory.create(username="olga", is_staff=True)
    used(alice, 3)
    invoice_settling.pay_by_hand(operator, closed(alice), reference="B-17")
    used(alice, 4)
    invoice_settling.void(operator, closed(alice, "2026-12"), reason="wrong")
    used(alice, 5)
    return closed(alice, "2027-01")


def differences():
    return reconciliation.run(["invoices"])["invoices"]


def test_a_real_history_has_no_difference(history):
    assert differences() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"first_seq": 9}, "begins at 9"),
        ({"carried_in_nanos": 5}, "carries 5"),
        ({"total_cents": 1}, "total 1 cents"),
        ({"state": "paid"}, "receivable"),
    ],
)
def test_what_was_changed_by_hand_is_found(history, change, words):
    Invoice.objects.filter(pk=history.pk).update(**change)
    assert any(words in one.problem for one in differences())


def test_lines_of_usage_that_another_account_posted_are_found(history, stranger):
    postpaid(stranger)
    used(stranger, 1)
    Invoice.objects.filter(pk=history.pk).update(account=stranger, first_seq=1, last_seq=1)
    assert any("usage lines are" in one.problem for one in differences())


def test_a_receivable_that_no_invoice_explains_is_found(history, alice):
    LedgerBalance.objects.filter(code=f"receivable:{alice.pk}").update(posted_nanos=1)
    assert [one.subject for one in differences()] == [f"account/{alice.pk}"]
