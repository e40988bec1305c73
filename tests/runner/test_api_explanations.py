"""The explanation over the API, from what really happened."""

import pytest
from django.utils import timezone

from runner import lifecycle
from runner.models import Hardware, Host, Instance, Prediction
from runner.states import InstanceState
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import end, make_prediction, start


@pytest.fixture
def version(alice):
    return VersionFactory.create(model__account=alice)


@pytest.fixture
def host(committed):
    facts = {"backend": "process", "cpu_millis": 64000, "memory_bytes": 2**40, "last_seen_at": timezone.now()}
    return Host.objects.create(name="h", **facts)


def explained(api, prediction, kind="predictions"):
    answer = api.get(f"/v1/{kind}/{prediction.pk}/explain")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_ended_prediction_tells_its_way_and_its_cost(api, version, host):
    prediction = make_prediction(version)
    hardware = Hardware.objects.get(pk=prediction.hardware)
    instance = Instance.objects.create(host=host, version=version, hardware=hardware)
    [claimed] = lifecycle.claim_many([lifecycle.new_claim(prediction.pk, instance.pk)])
    assert claimed is not None
    lifecycle.requeue(prediction.pk, claimed.claim, logs="", reason="its process ended")
    end(prediction, predict_us=2_000_000)
    shown = explained(api, prediction)
    assert [entry["event"] for entry in shown["timeline"]] == ["created", "started", "requeued", "succeeded"]
    assert shown["timeline"][1]["text"] == "Started on host h."
    assert "its process ended" in shown["timeline"][2]["text"]
    assert (shown["waiting"], shown["hosts"]) == (None, [])
    assert shown["cost"] == {
        "text": f"Charged for 2.000000 s of {prediction.hardware}.",
        "amount": "0.0002",
        "currency": "usd",
        "seconds": 2.0,
        "price_per_second": "0.0001",
    }


def test_a_waiting_one_says_why_and_what_each_host_can_do(api, version, host):
    Host.objects.create(
        name="cordoned", status="cordoned", backend="process", cpu_millis=1, memory_bytes=1, last_seen_at=timezone.now()
    )
    make_prediction(version)
    prediction = make_prediction(version)
    Instance.objects.create(
        host=host, version=version, hardware_id=prediction.hardware, state=InstanceState.BUSY, ready_at=timezone.now()
    )
    shown = explained(api, prediction)
    assert shown["waiting"] == {"code": "ahead_of_you", "ahead": 1, "text": "1 ahead of you"}
    assert [(h["name"], h["code"], h["refused"]) for h in shown["hosts"]] == [
        ("cordoned", "cordoned", True),
        ("h", "has_room", False),
    ]
    assert shown["cost"] is None


def test_a_model_error_is_charged_and_says_so(api, version):
    prediction = make_prediction(version)
    end(prediction, "failed", predict_us=1_000_000)
    shown = explained(api, prediction)
    assert shown["timeline"][-1]["text"] == "Failed: by an error of the model's own."
    assert "until the model failed" in shown["cost"]["text"]


def test_a_training_is_explained_at_its_own_address(api, version):
    prediction = make_prediction(version)
    Prediction.objects.filter(pk=prediction.pk).update(kind=Prediction.Kind.TRAINING)
    start(prediction)
    assert explained(api, prediction, "trainings")["status"] == "processing"
    assert api.get(f"/v1/predictions/{prediction.pk}/explain").status_code == 404


def test_other_peoples_are_not_there(stranger_api, version):
    assert stranger_api.get(f"/v1/predictions/{make_prediction(version).pk}/explain").status_code == 404
