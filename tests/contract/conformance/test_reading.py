"""Checklist 69 to 78: reading, cancelling, deadlines, lists, retention.  Source: replicate-api.md 8."""

import datetime
import io
import itertools
import time

import httpx
import pytest

from tests.plugins.live_site import LiveSite

pytestmark = pytest.mark.contract
ENDED = ("succeeded", "failed", "canceled", "aborted")
MISSING = {"detail": "The requested resource could not be found.", "status": 404}


def create(site: LiveSite, version, value, token=None, **headers):
    body = {"version": version, "input": value}
    return site.request("POST", "/v1/predictions", json=body, headers=headers, token=token)


def read(site: LiveSite, document):
    return site.request("GET", document["urls"]["get"]).json()


def cancel(site: LiveSite, document):
    return site.request("POST", document["urls"]["cancel"])


def until(site: LiveSite, document, *statuses, seconds=60.0):
    end = time.monotonic() + seconds
    while document["status"] not in statuses and time.monotonic() < end:
        time.sleep(0.05)
        document = read(site, document)
    assert document["status"] in statuses
    return document


def moment(text):
    return datetime.datetime.fromisoformat(text)


def test_item_069_output_and_logs_grow_while_it_is_polled(live_site, words):
    document = create(live_site, words, {"count": 6, "delay": 0.6}).json()
    seen = []
    while document["status"] not in ENDED:
        document = read(live_site, document)
        if document["status"] == "processing":
            seen.append((document["output"] or [], document["logs"]))
        time.sleep(0.1)
    for before, after in itertools.pairwise(seen):
        assert after[0][: len(before[0])] == before[0]
        assert after[1].startswith(before[1])
    assert len({len(output) for output, _ in seen}) > 2
    assert len({len(logs) for _, logs in seen}) > 2


def test_item_070_an_ended_one_has_its_times_and_metrics(live_site, words):
    document = create(live_site, words, {"count": 3}, Prefer="wait").json()
    times = [moment(document[name]) for name in ("created_at", "started_at", "completed_at")]
    assert times == sorted(times)
    metrics = document["metrics"]
    assert (type(metrics["predict_time"]), type(metrics["total_time"])) == (float, float)
    assert (metrics["output_token_count"], type(metrics["output_token_count"])) == (3, int)


def test_item_071_a_running_one_is_canceled_in_the_same_answer(live_site, slow):
    running = until(live_site, create(live_site, slow, {"seconds": 60}).json(), "processing")
    answer = cancel(live_site, running)
    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    assert answer.json()["completed_at"]
    time.sleep(1)
    shown = read(live_site, running)
    del shown["billing"]  # an extension of what is read
    assert shown == answer.json()


def test_item_072_a_queued_one_is_canceled_and_a_second_time_changes_nothing(live_site, waiting):
    queued = create(live_site, waiting, {"text": "x"}).json()
    first, second = cancel(live_site, queued), cancel(live_site, queued)
    assert (first.status_code, first.json()["status"], first.json()["started_at"]) == (200, "canceled", None)
    assert set(first.json()["metrics"]) == {"total_time"}
    assert (second.status_code, second.json()) == (200, first.json())


def test_item_072_a_cancel_of_what_succeeded_changes_nothing(live_site, echo):
    document = create(live_site, echo, {"text": "x"}, Prefer="wait").json()
    answer = cancel(live_site, document)
    assert (answer.status_code, answer.json()) == (200, document)


def test_item_073_other_peoples_are_missing(live_site, echo, ludo):
    document = create(live_site, echo, {"text": "x"}).json()
    for method, path in (("GET", document["urls"]["get"]), ("POST", document["urls"]["cancel"])):
        answer = live_site.request(method, path, token=ludo)
        assert (answer.status_code, answer.json()) == (404, MISSING)


def test_item_074_a_deadline_cancels_what_runs(live_site, slow):
    create(live_site, slow, {"seconds": 0}, Prefer="wait").raise_for_status()
    document = create(live_site, slow, {"seconds": 60}, **{"Cancel-After": "5s"}).json()
    assert moment(document["deadline"]) - moment(document["created_at"]) == datetime.timedelta(seconds=5)
    ended = until(live_site, document, *ENDED, seconds=20)
    assert (ended["status"], ended["error"]) == ("canceled", None)
    assert ended["started_at"]
    assert 4.9 <= ended["metrics"]["total_time"] <= 8


def test_item_075_a_deadline_aborts_what_waits_free_of_charge(live_site, waiting):
    document = create(live_site, waiting, {"text": "x"}, **{"Cancel-After": "5s"}).json()
    ended = until(live_site, document, *ENDED, seconds=20)
    assert (ended["status"], ended["started_at"], ended["output"]) == ("aborted", None, None)
    assert set(ended["metrics"]) == {"total_time"}
    charged = live_site.run_python(
        "from billing.models import UsageRecord\n"
        f"print(sum(UsageRecord.objects.filter(subject='prediction/{ended['id']}')"
        ".values_list('amount_nanos', flat=True)))"
    )
    assert charged.strip() == "0"


@pytest.mark.parametrize(("header", "seconds"), [("30", 30), ("30s", 30), ("1m30s", 90), ("2h", 7200)])
def test_item_076_deadlines_are_understood(live_site, echo, header, seconds):
    document = create(live_site, echo, {"text": "x"}, **{"Cancel-After": header}).json()
    assert (moment(document["deadline"]) - moment(document["created_at"])).total_seconds() == seconds


@pytest.mark.parametrize("header", ["4s", "25h", "abc"])
def test_item_076_deadlines_that_make_no_sense_are_refused(live_site, echo, header):
    answer = create(live_site, echo, {"text": "x"}, **{"Cancel-After": header})
    assert (answer.status_code, answer.json()["title"]) == (400, "Invalid Cancel-After header")


@pytest.fixture(scope="module")
def listed(live_site: LiveSite, waiting):
    """The token of somebody with 103 predictions, the last made on the site, and their documents, oldest first."""
    token = live_site.new_account("lena")
    made = [create(live_site, waiting, {"text": "x"}, token, **{"Cancel-After": "5m"}).json() for _ in range(103)]
    live_site.run_python(
        f"from runner.models import Prediction\nPrediction.objects.filter(pk={made[-1]['id']!r}).update(source='web')"
    )
    yield token, made
    for document in made:
        live_site.request("POST", document["urls"]["cancel"], token=token)


def ids(site: LiveSite, token, **query):
    answer = site.request("GET", "/v1/predictions", params=query, token=token)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["results"]]


def test_item_077_lists_are_newest_first_in_pages_of_100(live_site, listed):
    token, made = listed
    first = live_site.request("GET", "/v1/predictions", token=token).json()
    second = live_site.request("GET", first["next"], token=token).json()
    assert [len(page["results"]) for page in (first, second)] == [100, 3]
    assert [item["id"] for page in (first, second) for item in page["results"]] == [one["id"] for one in made[::-1]]
    assert (first["previous"], second["next"]) == (None, None)
    assert second["previous"]


def test_item_077_times_are_inclusive_at_the_start_and_exclusive_at_the_end(live_site, listed):
    token, made = listed
    for spelling in (made[-2]["created_at"], made[-2]["created_at"].replace("Z", "+00:00")):
        assert ids(live_site, token, created_after=spelling) == [made[-1]["id"], made[-2]["id"]]
        assert ids(live_site, token, created_before=spelling)[0] == made[-3]["id"]
    raw = live_site.request("GET", f"/v1/predictions?created_after={spelling}", token=token)
    assert len(raw.json()["results"]) == 2, "a raw + arrives as a blank"


def test_item_077_a_list_of_what_the_site_made(live_site, listed):
    token, made = listed
    assert ids(live_site, token, source="web") == [made[-1]["id"]]
    assert live_site.request("GET", "/v1/predictions?source=x", token=token).status_code == 400


def test_item_078_after_its_time_the_data_are_gone_and_the_rest_stays(live_site, client, files, words):
    made = client.predictions.create(version=files.partition(":")[2], input={"source": io.BytesIO(b"x"), "count": 1})
    made.wait()
    streamed = create(live_site, words, {"count": 2}, Prefer="wait").json()
    before = [read(live_site, {"urls": made.urls}), streamed]
    addresses = [before[0]["output"][0], streamed["urls"]["stream"]]
    assert [httpx.get(address).status_code for address in addresses] == [200, 200]
    live_site.run_python(
        "import datetime\n"
        "from django.utils import timezone\n"
        "from runner import retention\n"
        "from runner.models import Prediction\n"
        f"Prediction.objects.filter(pk__in={[one['id'] for one in before]!r}).update(\n"
        "    completed_at=timezone.now() - datetime.timedelta(hours=2))\n"
        "while retention.remove_due(now=timezone.now()):\n"
        "    pass\n"
    )
    for old in before:
        new = read(live_site, old)
        assert (new["data_removed"], new["input"], new["output"], new["logs"]) == (True, {}, None, "")
        assert (new["metrics"], new["status"], new["started_at"]) == (old["metrics"], "succeeded", old["started_at"])
    assert [httpx.get(address).status_code for address in addresses] == [404, 404]
