"""`Idempotency-Key` on resources: sent twice, created once; dying on the way leaves nothing of either."""

import datetime
import threading
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import RequestFactory

from accounts import idempotency
from accounts.idempotency import Key, KeyInUse, StillInProgress
from accounts.models import IdempotencyRecord
from models_catalog.models import Model
from tests.accounts.factories import AccountFactory, token_for

NEW = {"owner": "alice", "name": "echo", "visibility": "private", "hardware": "cpu-small"}
KEYED = {"Idempotency-Key": "order-17"}


def test_the_same_request_is_answered_again_and_creates_once(api):
    first, second = (api.post("/v1/models", NEW, headers=KEYED) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert Model.objects.count() == 1


def test_without_the_header_nothing_is_remembered(api):
    assert [api.post("/v1/models", NEW).status_code for _ in range(2)] == [201, 409]
    assert not IdempotencyRecord.objects.exists()


def test_a_key_is_for_one_request_alone(api):
    api.post("/v1/models", NEW, headers=KEYED)
    answer = api.post("/v1/models", {**NEW, "name": "other"}, headers=KEYED)
    assert (answer.status_code, answer.headers["x-should-retry"]) == (409, "false")
    assert answer.json()["detail"] == "This Idempotency-Key was already used for a different request."
    assert Model.objects.count() == 1


def test_each_account_has_keys_of_its_own(api, stranger_api):
    api.post("/v1/models", NEW, headers=KEYED)
    answer = stranger_api.post("/v1/models", {**NEW, "owner": "stranger"}, headers=KEYED)
    assert answer.json()["owner"] == "stranger"


def test_a_refusal_is_not_remembered(api):
    refused = api.post("/v1/models", {**NEW, "hardware": "abacus"}, headers=KEYED)
    assert refused.status_code == 400
    assert not IdempotencyRecord.objects.exists()
    assert api.post("/v1/models", NEW, headers=KEYED).status_code == 201


@pytest.mark.parametrize("key", ["", "k" * 256, "caf\u00e9", "a\tb"], ids=["empty", "long", "not_ascii", "tab"])
def test_a_key_is_1_to_255_printable_characters(api, key):
    answer = api.post("/v1/models", NEW, headers={b"Idempotency-Key": key.encode("latin-1")})
    assert (answer.status_code, answer.json()["title"]) == (400, "Invalid Idempotency-Key header")
    assert not Model.objects.exists()


def test_a_bad_token_is_told_first(anonymous_api):
    answer = anonymous_api.post("/v1/models", NEW, headers={"Idempotency-Key": ""})
    assert answer.json()["detail"] == "You did not pass an authentication token"


def test_a_form_sent_again_with_another_boundary_is_the_same_request(api):
    first, second, other = (
        api.request("POST", "/v1/files", files={"content": ("a.txt", text)}, headers=KEYED).json()
        for text in (b"hello", b"hello", b"bye")
    )
    assert first["id"] == second["id"]
    assert other["status"] == 409


def test_reading_does_not_look_at_the_key(api):
    assert api.get("/v1/models", headers={"Idempotency-Key": ""}).status_code == 200


def test_a_key_is_forgotten_after_24_hours(api):
    api.post("/v1/models", NEW, headers=KEYED)
    _age(datetime.timedelta(hours=24))
    assert api.post("/v1/models", {**NEW, "name": "later"}, headers=KEYED).status_code == 201


def test_old_records_are_removed_and_younger_ones_stay(alice):
    for text, age in (("old", 25), ("young", 23)):
        assert idempotency.claim(_key(alice, text)) is None
        IdempotencyRecord.objects.filter(key=text).update(created_at=_ago(datetime.timedelta(hours=age)))
    assert idempotency.forget_old() == 1
    assert [record.key for record in IdempotencyRecord.objects.all()] == ["young"]
    assert idempotency.forget_old() == 0


def test_a_request_that_dies_before_its_commit_leaves_neither_key_nor_creation(alice):
    def dies() -> HttpResponse:
        AccountFactory.create(username="made")
        raise SystemExit

    with pytest.raises(SystemExit):
        idempotency.once(_request(alice), dies)
    assert not IdempotencyRecord.objects.exists()
    answer = idempotency.once(_request(alice), _make_account)
    assert answer.status_code == 201, "the client's repetition creates it"


def test_a_request_that_dies_after_its_commit_is_answered_when_it_comes_again(alice):
    idempotency.once(_request(alice), _make_account)  # nobody got this answer
    again: Any = idempotency.once(_request(alice), _never)
    assert (again.status_code, again.content) == (201, b"made")


def test_of_two_at_once_one_creates_and_the_other_gets_its_answer(alice):
    both = threading.Barrier(2)
    answers: list[tuple[int, bytes, bool]] = []

    def post() -> None:
        both.wait()
        answer: Any = idempotency.once(_request(alice), _make_account)
        answers.append((answer.status_code, answer.content, "Idempotent-Replayed" in answer.headers))
        connection.close()

    threads = [threading.Thread(target=post) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [(201, b"made", False), (201, b"made", True)]


def test_who_waits_too_long_for_the_other_is_told_so(alice, monkeypatch):
    monkeypatch.setattr(idempotency, "_PATIENCE", "50ms")
    key = _key(alice, "k")
    outcome: list[type[Exception]] = []

    def late() -> None:
        try:
            idempotency.claim(key)
        except StillInProgress as problem:
            outcome.append(type(problem))
        connection.close()

    with transaction.atomic():
        idempotency.claim(key)
        thread = threading.Thread(target=late)
        thread.start()
        thread.join()
    assert outcome == [StillInProgress]


def test_a_refused_claim_leaves_the_transaction_usable(alice):
    idempotency.claim(_key(alice, "k"))
    with transaction.atomic():
        with pytest.raises(KeyInUse):
            idempotency.claim(Key(alice.pk, "k", "another"))
        AccountFactory.create(username="made")


def _request(account):
    headers = {"Idempotency-Key": "k", "Authorization": f"Bearer {token_for(account)}"}
    request = RequestFactory(headers=headers).post("/v1/things", b"{}", content_type="application/json")
    assert request.body  # from now on it can be read again, as the server's file can
    return request


def _make_account() -> HttpResponse:
    AccountFactory.create(username="made")
    return HttpResponse(b"made", status=201)


def _never() -> HttpResponse:
    raise AssertionError("it was created before")


def _key(account, text):
    return Key(account.pk, text, "hash")


def _ago(age):
    return datetime.datetime.now(datetime.UTC) - age


def _age(age):
    IdempotencyRecord.objects.update(created_at=_ago(age))
