"""Whose data is removed and when, what stays, and that a crash at any step leaves nothing half removed."""

import datetime

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from accounts.models import Account
from marketplace.lib.problems import NotFound
from models_catalog.examples import save_example
from runner import files, retention
from runner.documents import prediction_document
from runner.models import Prediction, StoredFile, WebhookDelivery
from tests.models_catalog.factories import TEXT_ITERATOR, VersionFactory, schema
from tests.runner.factories import end, make_prediction

pytestmark = pytest.mark.django_db
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def version():
    return VersionFactory.create(model__name="echo")


def ended(version, **asked):
    return end(make_prediction(version, **asked), output="HI", logs="shouting\n", predict_us=5)


def output_of(prediction):
    return files.store_output(prediction, ContentFile(b"picture"), content_type="image/png", filename="out.png")


def remove_after(delta, **more):
    return retention.remove_due(now=timezone.now() + delta, **more)


def is_removed(prediction):
    return Prediction.objects.get(pk=prediction.pk).data_removed


def test_after_an_hour_only_ids_states_times_and_metrics_stay(version):
    before = prediction_document(ended(version))
    assert remove_after(HOUR) == 1
    after = prediction_document(Prediction.objects.get())
    emptied = {"data_removed": True, "input": {}, "output": None, "logs": ""}
    assert after == {**before, **emptied}


def test_the_error_of_a_failure_stays(version):
    end(make_prediction(version), "failed", error="out of cheese")
    remove_after(HOUR)
    assert Prediction.objects.get().error == "out of cheese"


def test_before_its_time_nothing_is_removed(version):
    ended(version)
    assert remove_after(HOUR - datetime.timedelta(seconds=5)) == 0


def test_what_has_not_ended_is_kept_however_old(version):
    make_prediction(version)
    assert remove_after(1000 * HOUR) == 0


def test_secrets_and_the_stream_are_gone(version):
    iterator = VersionFactory.create(openapi_schema=schema(output=TEXT_ITERATOR))
    end(make_prediction(iterator), output=["a"])
    remove_after(HOUR)
    prediction = Prediction.objects.get()
    assert prediction.sealed_secrets is None
    assert "stream" not in prediction_document(prediction)["urls"]


def test_predictions_of_the_site_are_kept_for_90_days(version):
    ended(version, source="web")
    assert remove_after(datetime.timedelta(days=89)) == 0
    assert remove_after(datetime.timedelta(days=91)) == 1


def test_an_accounts_own_time_counts_for_its_api_predictions_alone(version):
    mine, theirs = ended(version), ended(VersionFactory.create())
    web = ended(version, source="web")
    type(version.model.account).objects.filter(pk=mine.account_id).update(api_data_kept_seconds=2 * 3600)
    remove_after(HOUR)
    assert [is_removed(one) for one in (mine, theirs, web)] == [False, True, False]
    remove_after(2 * HOUR)
    assert [is_removed(one) for one in (mine, theirs, web)] == [True, True, False]


def test_a_training_keeps_everything(version):
    training = ended(version)
    Prediction.objects.update(kind=Prediction.Kind.TRAINING)
    assert remove_after(10_000 * HOUR) == 0
    assert not is_removed(training)


def test_all_are_removed_in_several_rounds(version):
    for _ in range(5):
        ended(version)
    rounds = [remove_after(HOUR, at_most=2) for _ in range(4)]
    assert rounds == [2, 2, 1, 0]


def test_an_example_keeps_its_data_and_files(version):
    prediction = ended(version)
    file = output_of(prediction)
    save_example(version.model, prediction_document(prediction))
    assert remove_after(10_000 * HOUR) == 0
    assert StoredFile.objects.get(pk=file.pk).expires_at is None


def test_a_file_that_an_example_was_given_stays_though_its_prediction_goes(version):
    first = ended(version)
    kept, other = output_of(first), output_of(first)
    example = ended(version, input={"text": files.output_url(kept)})
    save_example(version.model, prediction_document(example))
    remove_after(HOUR)
    assert is_removed(first)
    assert [StoredFile.objects.get(pk=file.pk).expires_at is None for file in (kept, other)] == [True, False]


def test_the_links_of_its_files_end_with_the_data_and_their_contents_soon_after(version):
    file = output_of(ended(version))
    signature = files.output_url(file).split("/")[-2]
    retention.remove_due(now=timezone.now() + HOUR)
    StoredFile.objects.update(expires_at=timezone.now())
    with pytest.raises(NotFound):
        files.get_output(file.pk, signature)
    assert default_storage.exists(file.key)
    assert files.remove_expired() == 1
    assert not default_storage.exists(file.key)


def test_a_crash_before_the_rows_leaves_all_of_it_for_the_next_round(version, monkeypatch):
    file = output_of(ended(version))

    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(retention, "_empty_delivered", die)  # the last step of the transaction
        remove_after(HOUR)
    assert (Prediction.objects.get().data_removed, StoredFile.objects.get().expires_at) == (False, None)
    assert default_storage.exists(file.key)
    assert remove_after(HOUR) == 1


def test_a_crash_between_content_and_row_leaves_a_row_that_the_sweep_finds(version, monkeypatch):
    file = output_of(ended(version))
    StoredFile.objects.update(expires_at=timezone.now())
    delete = default_storage.delete

    def die(key):
        delete(key)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(default_storage, "delete", die)
        files.remove_expired()
    assert StoredFile.objects.filter(pk=file.pk).exists()
    assert files.remove_expired() == 1
    assert not StoredFile.objects.exists()


def test_a_file_that_is_removed_early_is_unlinked_before_its_content_goes(version, monkeypatch):
    file = output_of(ended(version))
    seen = []
    monkeypatch.setattr(default_storage, "delete", lambda key: seen.append(list(files.live_files())))
    files.remove([file])
    assert seen == [[]]


def test_who_is_still_to_be_told_is_told_everything(version):
    Account.objects.update(api_data_kept_seconds=60)
    ended(version, webhook="https://hooks.example.com/x")
    body = bytes(WebhookDelivery.objects.get().body)
    assert remove_after(datetime.timedelta(minutes=2)) == 0
    assert bytes(WebhookDelivery.objects.get().body) == body and b"HI" in body


def test_data_does_not_stay_because_a_receiver_is_away(version):
    prediction = ended(version, webhook="https://hooks.example.com/x")
    assert remove_after(HOUR) == 1
    assert is_removed(prediction)
    delivery = WebhookDelivery.objects.get()
    assert b"HI" not in bytes(delivery.body) and delivery.next_attempt_at is not None


def test_what_was_told_is_emptied_with_the_prediction(version):
    ended(version, webhook="https://hooks.example.com/x")
    WebhookDelivery.objects.update(next_attempt_at=None, delivered_at=timezone.now())
    assert remove_after(HOUR) == 1
    body = bytes(WebhookDelivery.objects.get().body)
    assert b'"data_removed":true' in body
    assert b"HI" not in body
