"""Run receipts: signed, chained, checked offline; what was changed or left out is found."""

import base64
import hashlib
import re
import subprocess
import sys

import orjson
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction

from billing import accounts, receipt_checks, receipt_keys, receipts
from billing.models import RunReceipt, UsageRecord
from tests.billing.factories import use

KEY = base64.b64encode(bytes(32)).decode()


def post(account):
    """Write receipts as posting does: account locked, in one transaction."""
    with transaction.atomic():
        receipts.write_many(accounts.lock(account.pk), list(UsageRecord.objects.order_by("id")))


def keys():
    return {key.id: key.text for key in receipt_keys.public_keys()}


def lines(account):
    return receipts.exported(receipts.receipts_after(account.pk, 0, 100)).decode().splitlines()


def flaws(changed):
    return receipt_checks.check(changed, keys()).flaws


@pytest.fixture
def five(alice):
    for _ in range(5):
        use(alice)
    post(alice)
    return lines(alice)


def test_a_receipt_says_what_a_run_cost_and_why(alice):
    run = use(alice, 1_234_567, hardware="gpu-t4", cap_nanos=200_000)
    post(alice)
    document = orjson.loads(RunReceipt.objects.get(subject=f"prediction/{run}").document)
    [line] = document["lines"]
    assert (document["seq"], document["previous"], document["prediction"]) == (1, "", run)
    assert (document["verdict"], document["total"], document["currency"]) == ("none", "0.0002", "usd")
    assert (line["quantity"], line["gross"], line["amount"]) == (1_234_567, "0.000277778", "0.0002")
    assert line["unit_price"] == {"rate": "0.000225", "per_units": 1_000_000}


def test_receipts_are_written_once_whatever_is_posted_again(alice, five):
    post(alice)
    use(alice)
    post(alice)
    assert lines(alice)[:5] == five and len(lines(alice)) == 6
    assert accounts.billing_account(alice.pk).receipt_count == 6


def test_a_batch_costs_the_same_number_of_queries_whatever_its_size(alice, django_assert_max_num_queries):
    for _ in range(30):
        use(alice)
    records = list(UsageRecord.objects.all())
    with transaction.atomic():
        payer = accounts.lock(alice.pk)
        with django_assert_max_num_queries(8):
            receipts.write_many(payer, records)


def test_a_correction_gets_a_receipt_of_its_own(alice, five):
    record = UsageRecord.objects.earliest("id")
    columns = UsageRecord.objects.filter(pk=record.pk).values().get() | {"id": None, "key": f"{record.key}:c1"}
    columns |= {"corrects_id": record.pk, "quantity": -record.quantity, "amount_nanos": -25_000, "gross_nanos": -25_000}
    UsageRecord.objects.create(**columns)
    post(alice)
    run, correction = receipts.receipts_of_run(alice.pk, record.subject.removeprefix("prediction/"))
    document = orjson.loads(correction.document)
    assert (document["total"], document["is_correction"], document["seq"]) == ("-0.000025", True, 6)
    assert run.document == orjson.loads(five[0])["document"]
    assert flaws(lines(alice)) == []


def test_what_was_exported_is_verified(five):
    report = receipt_checks.check(five, keys())
    assert (report.receipts, report.first, report.last, report.flaws) == (5, 1, 5, [])


def test_a_changed_amount_is_found_by_digest_and_by_signature(five):
    receipt = orjson.loads(five[2])
    receipt["document"] = receipt["document"].replace("0.000025", "0.000020")
    assert flaws([*five[:2], orjson.dumps(receipt).decode()])[0].startswith("line 3: the document does not have its")
    receipt["digest"] = hashlib.sha256(receipt["document"].encode()).hexdigest()
    assert flaws([orjson.dumps(receipt).decode()]) == [
        "line 1: the signature does not fit the document: it was changed"
    ]


def test_a_receipt_that_was_left_out_is_found(five):
    assert flaws([five[0], *five[2:]]) == ["line 2: its position is 3, after 1: some are missing, or out of order"]


def test_receipts_of_two_accounts_are_no_chain(five, stranger):
    use(stranger)
    with transaction.atomic():
        records = list(UsageRecord.objects.filter(account=stranger))
        receipts.write_many(accounts.lock(stranger.pk), records)
    [found] = flaws([five[0], *lines(stranger)])
    assert f"of account {stranger.pk}" in found


@pytest.mark.parametrize("line", ["{}", "nonsense", "[]", '{"document": 5, "digest": "", "key": "", "signature": ""}'])
def test_what_is_no_receipt_is_named_with_its_line(line):
    assert flaws(["", line]) == ["line 2: it is no receipt"]


def test_a_key_of_before_still_verifies_what_it_signed(alice, five, settings):
    settings.RECEIPT_RETIRED_KEYS = [receipt_keys.public_keys()[0].text]
    settings.RECEIPT_SIGNING_KEY = KEY
    use(alice)
    post(alice)
    signed_by = [receipt.key_id for receipt in receipts.receipts_after(alice.pk, 0, 100)]
    assert len(set(signed_by)) == 2 and flaws(lines(alice)) == []
    settings.RECEIPT_RETIRED_KEYS = []
    assert "not among those given" in flaws(lines(alice))[0]


def test_the_command_verifies_a_file_by_the_keys_that_the_site_published(api, tmp_path, five, capsys):
    (tmp_path / "receipts").write_bytes(api.get("/v1/billing/receipts").content)
    (tmp_path / "keys").write_bytes(api.get("/v1/billing/receipt-keys").content)
    call_command("verify_receipts", str(tmp_path / "receipts"), "--keys", str(tmp_path / "keys"))
    assert "5 receipts, 1 to 5" in capsys.readouterr().out
    (tmp_path / "receipts").write_text("\n".join(five[::-1]))
    with pytest.raises(CommandError, match="out of order"):
        call_command("verify_receipts", str(tmp_path / "receipts"))


def test_the_recipe_of_the_guide_verifies_too(api, tmp_path, five):
    guide = (settings.BASE_DIR / "docs/receipts.md").read_text()
    (tmp_path / "check.py").write_text(re.findall(r"```python\n(.*?)```", guide, re.DOTALL)[0])
    (tmp_path / "receipt-keys.json").write_bytes(api.get("/v1/billing/receipt-keys").content)
    for given, status in ((five, 0), ([five[0], five[2]], 1), ([five[0].replace("0.000025", "0.1")], 1)):
        (tmp_path / "receipts.jsonl").write_text("\n".join(given))
        assert (
            bool(subprocess.run([sys.executable, "check.py"], cwd=tmp_path, capture_output=True).returncode) == status
        )


def test_the_api_streams_what_comes_after_a_position(api, five):
    answer = api.get("/v1/billing/receipts?after=3")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.text.splitlines() == five[3:]
    assert api.get("/v1/billing/receipts?after=x").json()["errors"][0]["pointer"] == "?after"


def test_a_runs_receipt_is_its_owners_alone(api, stranger_api, alice):
    run = use(alice)
    path = f"/v1/predictions/{run}/receipt"
    assert "no receipt yet" in api.get(path).json()["detail"]
    post(alice)
    assert api.get(path).json()["corrections"] == []
    assert orjson.loads(api.get(path).json()["document"])["prediction"] == run
    assert stranger_api.get(path).json() == api.get("/v1/predictions/x/receipt").json()
