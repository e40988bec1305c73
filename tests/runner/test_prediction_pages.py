"""Pages of running: the form, what it starts, one's runs; and what other people must not see of them."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from models_catalog.models import Example, Model, Version
from runner import lifecycle
from runner.models import Prediction, StoredFile
from runner.states import FaultClass, Status
from tests.models_catalog.factories import TEXT_ITERATOR, VersionFactory, schema
from tests.plugins.people import Person
from tests.runner.factories import end, make_prediction, start

SECRET = "hunter2-very-secret"
INPUTS = {
    "text": {"type": "string", "title": "Text", "x-order": 0},
    "size": {"type": "integer", "enum": [256, 512], "default": 256, "x-order": 1},
    "seed": {"type": "integer", "nullable": True, "x-order": 2},
    "key": {"type": "string", "format": "password", "x-cog-secret": True, "nullable": True, "x-order": 3},
    "image": {"type": "string", "format": "uri", "nullable": True, "x-order": 4},
}
AS_SCRIPT: dict[str, Any] = {"headers": {"Accept": "application/json"}}
AS_BROWSER: dict[str, Any] = {"headers": {"Accept": "text/html,*/*"}}


@pytest.fixture
def version(alice_at_home: Person) -> Version:
    document = schema(INPUTS)
    return VersionFactory.create(model__account=alice_at_home.account, model__name="echo", openapi_schema=document)


def form(version: Version, **values: Any) -> dict[str, Any]:
    return {"version": version.pk, **{f"input.{name}": value for name, value in values.items()}}


def test_the_form_has_a_labelled_control_for_each_input(visitor: Client, version: Version) -> None:
    html = visitor.get("/alice/echo").content.decode()
    for name in ("text", "seed", "key"):
        assert f'for="input-{name}"' in html
        assert f'id="input-{name}"' in html
    assert 'name="input.size" value="256" checked' in html
    assert "Sign in to run" in html


def test_a_browser_without_a_script_is_led_to_the_run(alice_at_home: Person, version: Version) -> None:
    answer = alice_at_home.post("/web/predictions", form(version, text="hi", size="512", seed=""), **AS_BROWSER)
    prediction = Prediction.objects.get()
    assert answer.headers["Location"] == f"/p/{prediction.pk}"
    assert prediction.input == {"text": "hi", "size": 512}  # an integer, and what is unset is left out
    assert prediction.source == "web"
    page = alice_at_home.get(f"/p/{prediction.pk}").content.decode()
    assert '<noscript><meta http-equiv="refresh"' in page


def test_a_script_gets_the_panel_and_the_address_to_watch(alice_at_home: Person, version: Version) -> None:
    answer = alice_at_home.post("/web/predictions", form(version, text="hi"), **AS_SCRIPT)
    found = answer.json()
    assert answer.status_code == 201
    assert found["ws"] == f"/ws/predictions/{found['id']}"
    assert f'data-run="{found["id"]}"' in found["html"]


def test_mistakes_are_said_as_the_api_says_them_and_what_was_typed_stays(
    alice_at_home: Person, version: Version
) -> None:
    answer = alice_at_home.post("/web/predictions", form(version, text="", seed="many", size="512"), **AS_BROWSER)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "text is required" in html
    assert "Invalid type. Expected: integer, given: string" in html
    assert 'value="many"' in html
    assert 'aria-invalid="true"' in html
    as_script = alice_at_home.post("/web/predictions", form(version, seed="many"), **AS_SCRIPT).json()
    assert set(as_script["fields"]) == {"text", "seed"}
    assert not Prediction.objects.exists()


def test_a_check_changes_nothing_and_writes_programs_without_secrets(visitor: Client, version: Version) -> None:
    answer = visitor.post("/web/predictions/check", form(version, text="it's", key=SECRET, seed="7"))
    found = answer.json()
    assert found["fields"] == {}
    assert '"seed": 7' in found["json"]
    assert "$KEY" in found["snippets"]["curl"]
    assert 'os.environ["KEY"]' in found["snippets"]["python"]
    assert SECRET not in answer.content.decode()
    assert not Prediction.objects.exists()


def test_a_secret_is_nowhere_to_be_seen_again(alice_at_home: Person, version: Version) -> None:
    created = alice_at_home.post("/web/predictions", form(version, text="hi", key=SECRET), **AS_SCRIPT)
    pk = created.json()["id"]
    paths = [f"/p/{pk}", f"/p/{pk}/json", "/dashboard", f"/alice/echo?prediction={pk}"]
    pages = [created.content.decode(), *(alice_at_home.get(path).content.decode() for path in paths)]
    assert all(SECRET not in page for page in pages)
    assert "[REDACTED]" in pages[1]


def test_signed_out_people_cannot_run_or_upload(visitor: Client, version: Version) -> None:
    assert visitor.post("/web/predictions", form(version, text="hi"), **AS_SCRIPT).status_code == 401
    by_browser = visitor.post("/web/predictions", form(version, text="hi"), **AS_BROWSER)
    assert by_browser.headers["Location"] == "/accounts/login/?next=/alice/echo"
    assert visitor.post("/web/files", {"content": SimpleUploadedFile("a.txt", b"a")}).status_code == 401
    assert not Prediction.objects.exists()


def test_forms_need_the_sites_token(alice_at_home: Person, version: Version) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice_at_home.user)
    assert strict.post("/web/predictions", form(version, text="hi")).status_code == 403


def test_a_private_models_version_cannot_be_run_or_checked_by_strangers(
    stranger_at_home: Person, version: Version
) -> None:
    Model.objects.update(visibility="private")
    for path in ("/web/predictions", "/web/predictions/check"):
        assert stranger_at_home.post(path, form(version, text="hi"), **AS_SCRIPT).status_code == 404
    assert stranger_at_home.get("/alice/echo").status_code == 404


def test_a_hidden_model_tells_its_owner_why_and_is_missing_for_others(
    alice_at_home: Person, visitor: Client, version: Version
) -> None:
    Model.objects.update(hidden_at=timezone.now(), hidden_reason="It copies a closed model.")
    assert "It copies a closed model." in alice_at_home.get("/alice/echo").content.decode()
    assert visitor.get("/alice/echo").status_code == 404
    assert alice_at_home.post("/web/predictions", form(version, text="hi"), **AS_SCRIPT).status_code == 404


def test_an_upload_becomes_an_address_that_the_input_may_name(alice_at_home: Person, version: Version) -> None:
    upload = SimpleUploadedFile("cat.png", b"\x89PNG", content_type="image/png")
    url = alice_at_home.post("/web/files", {"content": upload}).json()["url"]
    created = alice_at_home.post("/web/predictions", form(version, text="hi", image=url), **AS_SCRIPT).json()
    page = alice_at_home.get(f"/p/{created['id']}").content.decode()
    assert f"/v1/files/{StoredFile.objects.get().pk}/download?" in page
    assert "out-image" in page


def test_a_file_sent_with_the_form_itself_is_stored_and_named(alice_at_home: Person, version: Version) -> None:
    upload = SimpleUploadedFile("cat.png", b"\x89PNG", content_type="image/png")
    alice_at_home.post("/web/predictions", {**form(version, text="hi"), "input.image": upload}, **AS_BROWSER)
    assert Prediction.objects.get().input["image"].endswith(StoredFile.objects.get().pk)


@pytest.mark.parametrize("path", ["/p/{}", "/p/{}/json"])
def test_other_peoples_runs_do_not_exist(
    path: str, stranger_at_home: Person, visitor: Client, version: Version
) -> None:
    prediction = make_prediction(version)
    missing = stranger_at_home.get(path.format("0" * 26))
    seen = stranger_at_home.get(path.format(prediction.pk))
    assert (seen.status_code, missing.status_code) == (404, 404)
    assert visitor.get(path.format(prediction.pk)).status_code == 302
    assert stranger_at_home.get(f"/alice/echo?prediction={prediction.pk}").status_code == 404


def test_an_ended_run_shows_output_logs_times_and_cost(alice_at_home: Person, version: Version) -> None:
    prediction = end(make_prediction(version), output="HI & BYE", logs="shouting\n", predict_us=2_000_000)
    html = alice_at_home.get(f"/p/{prediction.pk}").content.decode()
    assert "HI &amp; BYE" in html
    assert "shouting" in html
    assert "for 2.0 s" in html
    assert "Succeeded" in html
    assert 'data-stage="2"' in html


def test_a_failed_run_says_whose_fault_it_was_and_what_was_charged(alice_at_home: Person, version: Version) -> None:
    mine = end(make_prediction(version), Status.FAILED, predict_us=1_000_000)
    ours = end(
        make_prediction(version), Status.FAILED, error="The host was lost (E1000)", fault_class=FaultClass.PLATFORM
    )
    html = alice_at_home.get(f"/p/{mine.pk}").content.decode()
    assert "out of paper" in html
    assert "model error" in html
    assert "You were charged $" in html
    html = alice_at_home.get(f"/p/{ours.pk}").content.decode()
    assert "platform fault" in html
    assert "You were not charged." in html


def test_a_page_loaded_in_mid_run_starts_where_the_row_is(alice_at_home: Person) -> None:
    version = VersionFactory.create(model__account=alice_at_home.account, openapi_schema=schema(output=TEXT_ITERATOR))
    prediction = make_prediction(version)
    lifecycle.save_progress(prediction.pk, start(prediction), outputs=["one ", "two "], logs="a\nb\n")
    html = alice_at_home.get(f"/p/{prediction.pk}").content.decode()
    assert 'data-outputs="2" data-logs="4" data-stage="1"' in html
    assert 'data-slot="text">one two </div>' in html


def test_running_again_makes_the_same_run(alice_at_home: Person, version: Version) -> None:
    before = end(make_prediction(version, input={"text": "hi", "size": 512}), output="HI")
    answer = alice_at_home.post(f"/web/predictions/{before.pk}/again")
    after = Prediction.objects.exclude(pk=before.pk).get()
    assert answer.headers["Location"] == f"/p/{after.pk}"
    assert (after.input, after.rerun_of) == (before.input, before.pk)


def test_what_has_been_removed_is_not_run_again(alice_at_home: Person, version: Version) -> None:
    before = end(make_prediction(version))
    Prediction.objects.update(data_removed=True, input={}, output=None, logs="")
    assert alice_at_home.post(f"/web/predictions/{before.pk}/again").status_code == 410
    assert "Removed." in alice_at_home.get(f"/p/{before.pk}").content.decode()


def test_the_list_shows_ones_own_runs_newest_first_and_filters(alice_at_home: Person, version: Version) -> None:
    make_prediction(VersionFactory.create())  # somebody else's
    old = end(make_prediction(version, input={"text": "the old one"}), output="x")
    new = make_prediction(version, input={"text": "the new one"})
    html = alice_at_home.get("/dashboard").content.decode()
    assert html.index(new.pk[:8]) < html.index(old.pk[:8])
    assert html.count('<th scope="row">') == 2
    filtered = alice_at_home.get("/dashboard?status=succeeded&model=alice/echo").content.decode()
    assert "the old one" in filtered
    assert "the new one" not in filtered


def test_a_long_list_has_pages_without_gaps_or_repeats(
    alice_at_home: Person, version: Version, django_assert_max_num_queries: Any
) -> None:
    made = {make_prediction(version).pk for _ in range(35)}
    with django_assert_max_num_queries(8):
        first = alice_at_home.get("/dashboard")
    second = alice_at_home.get("/dashboard", {"cursor": first.context["next_cursor"]})
    shown = [row.pk for page in (first, second) for row, *_ in page.context["rows"]]
    assert len(shown) == 35
    assert set(shown) == made
    assert second.context["next_cursor"] == ""


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dashboard?cursor=junk", 200),
        ("/dashboard?status=nonsense", 200),
        ("/dashboard?model=%00x", 404),
        ("/p/%00", 404),
        ("/alice/echo?version=%00", 404),
        ("/alice/echo?version=abc", 404),
    ],
)
def test_nonsense_in_the_address_harms_nothing(alice_at_home: Person, version: Version, path: str, status: int) -> None:
    assert alice_at_home.get(path).status_code == status


def test_a_new_account_is_told_what_will_be_here(stranger_at_home: Person) -> None:
    assert "No runs yet" in stranger_at_home.get("/dashboard").content.decode()


@pytest.mark.parametrize("tab", ["", "/api", "/examples", "/readme", "/versions"])
def test_every_tab_opens_for_everybody_with_and_without_a_version(visitor: Client, version: Version, tab: str) -> None:
    assert visitor.get(f"/alice/echo{tab}").status_code == 200
    Model.objects.update(latest_version=None)
    version.delete()
    assert visitor.get(f"/alice/echo{tab}").status_code == 200


def test_an_example_fills_the_form_and_shows_its_output(visitor: Client, version: Version) -> None:
    document = {"id": "e1", "input": {"text": "from the example", "size": 512}, "output": "FROM", "metrics": {}}
    Example.objects.create(model=version.model, prediction_id="e1", prediction=document)
    html = visitor.get("/alice/echo").content.decode()
    assert "from the example" in html
    assert 'value="512" checked' in html
    assert "Example output" in html
    assert visitor.get("/alice/echo?example=none").status_code == 404


def test_a_run_tells_what_happened_and_why(alice_at_home: Person, version: Version) -> None:
    prediction = make_prediction(version)
    lifecycle.requeue(prediction.pk, start(prediction), logs="", reason="its process ended")
    waiting = alice_at_home.get(f"/p/{prediction.pk}").content.decode()
    assert "that try is free: its process ended." in waiting
    assert "Waits:" in waiting
    end(prediction, Status.FAILED, predict_us=1_500_000)
    page = alice_at_home.get(f"/p/{prediction.pk}").content.decode()
    assert "Failed: by an error of the model&#x27;s own." in page
    assert "Charged for 1.500000 s" in page
