"""Usage over the API: sums that agree with the records, whatever is posted; CSV that a spreadsheet can't run."""

import csv
import io

import pytest

from accounts.models import ApiToken
from billing import api_usage, posting, refunds, usage_lines
from billing.models import UsageRecord
from marketplace.lib import csv_rows
from marketplace.lib.csv_rows import Number
from tests.billing.factories import NOON, use

SECOND = 1_000_000  # µs; 25,000 nanos on cpu-small
NOVEMBER = "from=2026-11-01&to=2026-11-30"


def read(api, query):
    answer = api.get(f"/v1/billing/usage?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def rows_of(answer):
    assert answer.headers["content-type"] == csv_rows.CONTENT_TYPE
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.fixture
def used(alice, stranger):
    """Alice's usage of two models and two days, one record of it posted; and a stranger's."""
    token = ApiToken.objects.create(account=alice, name="=laptop", prefix="r8_", last4="abcd", digest="x" * 64)
    use(alice, SECOND, token_id=token.pk)
    posting.post_usage()
    use(alice, 2 * SECOND)
    use(alice, 4 * SECOND, model_name="alice/stream", occurred_at=NOON.replace(day=11))
    use(stranger, SECOND)
    return token


@pytest.mark.parametrize("posts", [False, True])
def test_usage_adds_up_whether_it_is_posted_or_not(api, used, posts):
    if posts:
        posting.post_usage()
    found = read(api, f"{NOVEMBER}&group_by=model,day")
    assert (found["total"], found["currency"], found["group_by"]) == ("0.000175", "usd", ["model", "day"])
    assert [(row["model"], row["day"], row["quantity"], row["runs"], row["amount"]) for row in found["groups"]] == [
        ("alice/echo", "2026-11-10", 3 * SECOND, 2, "0.000075"),
        ("alice/stream", "2026-11-11", 4 * SECOND, 1, "0.0001"),
    ]


def test_usage_by_token_has_its_name_and_what_had_none(api, used):
    found = read(api, f"{NOVEMBER}&group_by=token")["groups"]
    assert [(row["token"], row["token_name"], row["runs"]) for row in found] == [
        (None, None, 2),
        (str(used.pk), "=laptop", 1),
    ]


def test_the_days_asked_for_are_both_included(api, used):
    assert read(api, "from=2026-11-11&to=2026-11-11")["total"] == "0.0001"
    assert read(api, "from=2026-11-01&to=2026-11-10T23:00:00Z")["total"] == "0.000075"
    assert read(api, "to=2026-10-31")["total"] == "0.00"


def test_a_refund_is_taken_off_and_is_no_run(api, used):
    record = UsageRecord.objects.filter(account__username="alice").earliest("id")
    refunds.refund_usage(record, reason="our fault")
    [echo] = [row for row in read(api, NOVEMBER)["groups"] if row["model"] == "alice/echo"]
    assert (echo["amount"], echo["runs"]) == ("0.00005", 2)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("group_by=colour", "?group_by"),
        ("from=2026-11-02&to=2026-11-01", "?to"),
        ("from=2025-01-01&to=2026-11-01", "?to"),
        ("from=soon", "?from"),
        ("format=xml", "?format"),
    ],
)
def test_a_wrong_query_is_named(api, query, pointer):
    answer = api.get(f"/v1/billing/usage?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


def test_usage_as_csv_has_nine_digits_and_no_formulas(api, used):
    answer = api.get(f"/v1/billing/usage?{NOVEMBER}&group_by=token", headers={"Accept": "text/csv"})
    last = rows_of(answer)[-1]
    assert (last["token_name"], last["amount"], last["currency"]) == ("'=laptop", "0.000025000", "usd")
    assert 'filename="usage-2026-11-01-2026-11-30.csv"' in answer.headers["content-disposition"]


def test_records_come_newest_first_in_pages_that_end(api, alice, monkeypatch):
    monkeypatch.setattr("billing.api_usage._ByNumber.page_size", 2)
    runs = [use(alice) for _ in range(5)]
    path, seen = "/v1/billing/usage/records", []
    while path:
        page = api.get(path).json()
        seen += [row["prediction"] for row in page["results"]]
        path = page["next"]
    assert seen == runs[::-1]


def test_a_record_says_all_that_it_is_known_by(api, alice):
    run = use(alice, SECOND, cap_nanos=20_000)
    [row] = api.get("/v1/billing/usage/records").json()["results"]
    assert (row["prediction"], row["gross"], row["amount"], row["status"]) == (run, "0.000025", "0.00002", "pending")
    assert (row["invoice"], row["corrects"], row["token"]) == (None, None, None)


def test_records_are_narrowed(api, used):
    def number(query):
        return len(api.get(f"/v1/billing/usage/records?{query}").json()["results"])

    assert [number(""), number("model=alice/stream"), number(f"token={used.pk}")] == [3, 1, 1]
    assert [number("from=2026-11-11"), number("to=2026-11-11"), number("deployment=alice/x")] == [1, 2, 0]


def test_a_refund_is_a_record_of_its_own_that_names_the_other(api, used):
    record = UsageRecord.objects.filter(account__username="alice").earliest("id")
    refunds.refund_usage(record, reason="our fault")
    first = api.get("/v1/billing/usage/records").json()["results"][0]
    assert (first["corrects"], first["amount"], first["reason"]) == (record.key, "-0.000025", "our fault")


def test_records_as_csv_are_all_of_them(api, alice, monkeypatch):
    monkeypatch.setattr("billing.api_usage._CSV_PAGE", 2)
    runs = [use(alice) for _ in range(5)]
    rows = rows_of(api.get("/v1/billing/usage/records?format=csv"))
    assert [row["prediction_id"] for row in rows] == runs[::-1]
    assert (rows[0]["unit"], rows[0]["unit_price"]) == ("1000000 microseconds", "0.000025000")
    assert (rows[0]["owner"], rows[0]["member"], rows[0]["occurred_at"][:10]) == ("alice", "", "2026-11-10")


def test_a_row_names_the_member_who_ran_it(alice):
    use(alice)
    record = usage_lines.records_of(alice.pk).get()
    record.user_id = alice.user_id
    [row] = api_usage._csv_rows([record])
    assert row[usage_lines.COLUMNS.index("member")] == alice.user.username


@pytest.mark.parametrize(
    ("cell", "written"),
    [("=1+1", "'=1+1"), ("@x", "'@x"), ("-5", "'-5"), (Number("-5"), "-5"), (-5, "-5"), ('a"b', '"a""b"'), (None, "")],
)
def test_a_cell_is_no_formula(cell, written):
    assert csv_rows.encode([[cell, 1]]) == f"{written},1\r\n".encode()
