"""Balance, limits and purchases over the API, on a site that takes no payments."""

import pytest

from billing.body_fields import BodyFields
from billing.models import SpendLimit, TopUp
from billing.money import as_fixed_string, parse_amount
from marketplace.lib.problems import ValidationFailed
from tests.billing.factories import fund, use

DOLLAR = 1_000_000_000


def test_an_account_that_is_not_charged_has_no_bounds(api, alice):
    use(alice)
    found = api.get("/v1/billing/balance").json()
    assert (found["mode"], found["available"], found["balance"]) == ("internal", None, "0.00")


def test_the_balance_is_what_is_left_after_usage_that_is_not_posted_yet(api, alice):
    fund(alice, 2 * DOLLAR)
    use(alice, 40_000_000)
    TopUp.objects.create(account=alice, source="checkout", amount_cents=500)
    found = api.get("/v1/billing/balance").json()
    assert (found["available"], found["free"], found["paid"]) == ("1.999", "2.00", "0.00")
    assert (found["held"], found["pending_top_ups"], found["currency"]) == ("0.00", "5.00", "usd")


def put(api, **members):
    return api.request("PUT", "/v1/billing/limits", json={"period": "month", "limit": "10.00", **members})


def test_a_limit_is_set_changed_read_and_removed(api, alice):
    fund(alice, DOLLAR)
    made = put(api, period="day").json()
    changed = put(api, period="day", limit="2.5", hard=False).json()
    assert (changed["id"], changed["limit"], changed["hard"], changed["left"]) == (made["id"], "2.50", False, "2.50")
    assert api.get(f"/v1/billing/limits/{made['id']}").json() == changed
    assert changed in api.get("/v1/billing/limits").json()["limits"]
    assert api.request("DELETE", f"/v1/billing/limits/{made['id']}").status_code == 204
    assert api.get(f"/v1/billing/limits/{made['id']}").status_code == 404


def test_a_token_has_a_limit_of_its_own(api, alice):
    token = alice.tokens.get()
    assert put(api, scope="token", key=str(token.pk)).json()["key"] == str(token.pk)
    assert put(api, scope="member", key=str(alice.user_id)).json()["scope"] == "member"
    assert put(api, scope="deployment", key="alice/prod").json()["key"] == "alice/prod"


WRONG = {
    "number": ({"limit": 10}, "/limit"),
    "no_money": ({"limit": "-1"}, "/limit"),
    "too_fine": ({"limit": "1.0000000001"}, "/limit"),
    "period": ({"period": "year"}, "/period"),
    "scope": ({"scope": "planet"}, "/scope"),
    "hard": ({"hard": "yes"}, "/hard"),
    "unknown_token": ({"scope": "token", "key": "999999"}, "/key"),
    "no_token": ({"scope": "token"}, "/key"),
    "other_member": ({"scope": "member", "key": "x"}, "/key"),
}


@pytest.mark.parametrize(("change", "pointer"), WRONG.values(), ids=WRONG)
def test_a_wrong_limit_is_named(api, alice, change, pointer):
    answer = put(api, **change)
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (400, [pointer])
    assert not SpendLimit.objects.exists()


def test_a_strangers_limit_can_be_neither_seen_nor_removed(api, stranger_api):
    made = put(api).json()
    for method in ("GET", "DELETE"):
        assert stranger_api.request(method, f"/v1/billing/limits/{made['id']}").status_code == 404
    assert api.get("/v1/billing/limits/x").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "top-ups", {"amount": "25.00"}),
        ("POST", "top-ups", {"amount": "25.00", "saved_card": True}),
        ("POST", "setup", {}),
        ("PUT", "auto-reload", {"enabled": True}),
    ],
)
def test_where_no_payments_are_taken_the_answer_says_so(api, alice, method, path, body):
    answer = api.request(method, f"/v1/billing/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "payments_off")
    assert not TopUp.objects.exists()


def test_what_was_bought_and_saved_can_be_read_without_payments(api, alice):
    top_up = TopUp.objects.create(account=alice, source="checkout", amount_cents=500, checkout_url="https://x.test/")
    [listed] = api.get("/v1/billing/top-ups").json()["results"]
    assert (listed["id"], listed["amount"], listed["checkout_url"]) == (top_up.pk, "5.00", "https://x.test/")
    assert api.get(f"/v1/billing/top-ups/{top_up.pk}").json() == listed
    assert api.get("/v1/billing/payment-methods").json() == {"payment_methods": []}
    assert api.get("/v1/billing/auto-reload").json()["enabled"] is False


def test_auto_reload_is_turned_off_without_payments(api, alice):
    answers = [
        api.request("PUT", "/v1/billing/auto-reload", json={"enabled": False, **more}).json()
        for more in ({"threshold": "6", "target": "20.00"}, {})
    ]
    assert [(answer["threshold"], answer["target"]) for answer in answers] == [("6.00", "20.00")] * 2


@pytest.mark.parametrize(
    ("text", "nanos"),
    [("25", 25 * DOLLAR), ("0.5", DOLLAR // 2), ("0.000000001", 1), ("", None), ("1.", None), ("1e3", None), (5, None)],
)
def test_amounts_are_decimal_strings(text, nanos):
    assert parse_amount(text) == nanos
    if nanos is not None:
        assert parse_amount(as_fixed_string(nanos)) == nanos


def test_a_purchase_is_of_whole_cents():
    fields = BodyFields({"amount": "5.001"})
    fields.minor_units("amount", "usd")
    with pytest.raises(ValidationFailed, match="no more decimals"):
        fields.ensure_valid()
