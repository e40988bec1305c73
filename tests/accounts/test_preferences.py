"""How long an account keeps the data of its API predictions: over the API and on its page."""

import pytest

from accounts.models import Account


def test_without_a_choice_the_installations_time_holds(api):
    assert api.get("/v1/account/settings").json() == {
        "api_data_kept_seconds": None,
        "effective_api_data_kept_seconds": 3600,
    }


@pytest.mark.parametrize("seconds", [60, 86400, None])
def test_a_choice_is_kept_and_shown(api, seconds):
    answer = api.request("PATCH", "/v1/account/settings", json={"api_data_kept_seconds": seconds})
    assert (answer.status_code, answer.json()["api_data_kept_seconds"]) == (200, seconds)
    assert api.get("/v1/account/settings").json() == answer.json()


def test_a_change_of_nothing_changes_nothing(api):
    api.request("PATCH", "/v1/account/settings", json={"api_data_kept_seconds": 90})
    assert api.request("PATCH", "/v1/account/settings", json={}).json()["api_data_kept_seconds"] == 90


@pytest.mark.parametrize("value", [59, -1, 315_360_001, 2**70, "3600", True, 1.5])
def test_a_choice_that_makes_no_sense_is_refused(api, value):
    answer = api.request("PATCH", "/v1/account/settings", json={"api_data_kept_seconds": value})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/api_data_kept_seconds")


def test_an_unknown_setting_is_named(api):
    answer = api.request("PATCH", "/v1/account/settings", json={"colour": "red"})
    assert answer.json()["errors"] == [{"pointer": "/colour", "detail": "Unknown setting."}]


def test_the_page_shows_and_saves_the_choice(alice_at_home):
    assert "1 hour (this site" in alice_at_home.get("/account/settings").content.decode()
    alice_at_home.post("/account/settings", {"seconds": str(7 * 86400)})
    assert Account.objects.get(username="alice").api_data_kept_seconds == 7 * 86400
    assert '<option value="604800" selected>7 days' in alice_at_home.get("/account/settings").content.decode()


def test_the_page_shows_a_choice_that_it_does_not_offer(alice_at_home):
    Account.objects.update(api_data_kept_seconds=90)
    assert '<option value="90" selected>90 seconds' in alice_at_home.get("/account/settings").content.decode()


def test_the_page_goes_back_to_the_installations_time(alice_at_home):
    Account.objects.update(api_data_kept_seconds=90)
    alice_at_home.post("/account/settings", {"seconds": ""})
    assert Account.objects.get(username="alice").api_data_kept_seconds is None


def test_the_page_refuses_what_it_did_not_offer(alice_at_home):
    assert alice_at_home.post("/account/settings", {"seconds": "5"}).status_code == 422
