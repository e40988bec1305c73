"""What operators do with publishers' shares in the console, and the files that only they get."""

import pytest

from billing.models import Invoice, PublisherAgreement, PublisherPayout
from billing.publisher_shares import accrue
from tests.billing.factories import NOON
from tests.billing.invoicing import NOVEMBER, closed, postpaid, used
from tests.plugins.people import Person


@pytest.fixture
def invoice(alice_at_home: Person) -> Invoice:
    postpaid(alice_at_home.account)
    used(alice_at_home.account, 200, model_name="stranger/echo")
    return closed(alice_at_home.account)


def test_an_operator_notes_a_payout(olga, invoice, stranger_at_home):
    agreement = PublisherAgreement.objects.create(
        owner=stranger_at_home.account, percent=20, hold_days=0, effective_from=NOON
    )
    accrue(stranger_at_home.account, NOVEMBER)
    assert b"stranger" in b"".join(olga.get("/admin/payouts.csv").streaming_content)
    olga.post(f"/admin/billing/publisheragreement/{agreement.pk}/pay-out/", {"reason": "T-1"})
    assert PublisherPayout.objects.get().reference == "T-1"
    earnings = b"".join(stranger_at_home.get("/account/earnings/2026-11.csv").streaming_content).decode()
    assert "stranger/echo" in earnings and "alice" not in earnings


def test_files_of_the_platform_are_for_operators_alone(olga, alice_at_home, invoice):
    for path in (f"/admin/journal/{invoice.issued_at:%Y-%m}.csv", "/admin/payouts.csv"):
        assert olga.get(path).status_code == 200
        assert alice_at_home.get(path).status_code == 302
    assert olga.get("/admin/journal/soon.csv").status_code == 404
