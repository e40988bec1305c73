"""The official `replicate` 2.0 beta, unmodified, every answer strictly validated against its own types.

Runs in an environment of its own, because the package has the name of the first generation; started by
conformance/test_clients.py, which says in the environment where the site and its models are.
"""

import asyncio
import os
import time
import uuid

import pytest
import replicate
from replicate import AsyncReplicate, Replicate
from replicate.lib._files import FileOutput

SITE, TOKEN = os.environ["SITE"], os.environ["TOKEN"]
ECHO, WORDS, FILES, SLOW, OFFICIAL, LEARNER = (
    os.environ[name] for name in ("ECHO", "WORDS", "FILES", "SLOW", "OFFICIAL", "LEARNER")
)
# What `replicate.use` reads; it makes its own client.
os.environ["REPLICATE_BASE_URL"], os.environ["REPLICATE_API_TOKEN"] = f"{SITE}/v1", TOKEN


@pytest.fixture(scope="session")
def client() -> Replicate:
    return Replicate(base_url=f"{SITE}/v1", bearer_token=TOKEN, _strict_response_validation=True)


def version_of(reference: str) -> str:
    return reference.partition(":")[2]


def ended(client: Replicate, prediction_id: str):
    while (prediction := client.predictions.get(prediction_id=prediction_id)).status in ("starting", "processing"):
        time.sleep(0.1)
    return prediction


# --- run ---


def test_run_returns_the_output(client):
    assert client.run(ECHO, input={"text": "hello", "shout": True}) == "HELLO"


def test_run_by_name(client):
    assert client.run(OFFICIAL, input={"text": "named"}) == "named"


@pytest.mark.parametrize("wait", [False, 5])
def test_run_waits_as_it_is_told(client, wait):
    assert client.run(ECHO, input={"text": "any way"}, wait=wait) == "any way"


def test_run_survives_a_wait_that_is_too_short(client):
    assert client.run(SLOW, input={"seconds": 2.5}, wait=1) == "worked 2.5 s"


def test_run_of_an_iterator_gives_its_items(client):
    assert list(client.run(WORDS, input={"count": 3})) == ["word0 ", "word1 ", "word2 "]


def test_run_uploads_files_and_gives_files(client, tmp_path):
    source = tmp_path / "source.txt"
    source.write_bytes(b"payload")
    with source.open("rb") as file:
        [output] = client.run(FILES, input={"source": file, "count": 1})
    assert isinstance(output, FileOutput)
    assert output.read() == b"payload#0"


def test_a_wrong_input_is_an_error_of_its_kind(client):
    with pytest.raises(replicate.UnprocessableEntityError, match="repeat"):
        client.run(ECHO, input={"text": "x", "repeat": 1001})


def test_the_async_client_runs_too():
    async def run():
        async with AsyncReplicate(
            base_url=f"{SITE}/v1", bearer_token=TOKEN, _strict_response_validation=True
        ) as client:
            items = await client.run(WORDS, input={"count": 2})
            return await client.run(ECHO, input={"text": "async"}), list(items)

    assert asyncio.run(run()) == ("async", ["word0 ", "word1 "])


# --- use ---


def test_use_calls_a_model_like_a_function():
    assert replicate.use(ECHO)(text="used") == "used"
    assert replicate.use("nina/echo")(text="used") == "used"


def test_use_of_an_official_model_needs_no_version():
    assert replicate.use(OFFICIAL)(text="official") == "official"


def test_use_joins_text_and_streams_it():
    assert replicate.use(WORDS)(count=3) == "word0 word1 word2 "
    assert list(replicate.use(WORDS, streaming=True)(count=3, delay=0.3)) == ["word0 ", "word1 ", "word2 "]


def test_use_gives_paths_for_files(tmp_path):
    source = tmp_path / "source.txt"
    source.write_bytes(b"payload")
    [output] = replicate.use(FILES)(source=source, count=1)
    with open(output, "rb") as file:
        assert file.read() == b"payload#0"


# --- resources ---


def test_account_hardware_and_collections(client):
    assert client.account.get().username == "nina"
    assert "cpu" in [hardware.sku for hardware in client.hardware.list()]
    assert [collection.slug for collection in client.collections.list()] == ["tools"]
    assert client.collections.get(collection_slug="tools").models[0].name == "echo"


def test_predictions(client):
    created = client.predictions.create(version=version_of(SLOW), input={"seconds": 60})
    assert (created.status, created.output) == ("starting", None)
    assert client.predictions.get(prediction_id=created.id).id == created.id
    assert client.predictions.cancel(prediction_id=created.id).status == "canceled"
    assert created.id in [prediction.id for prediction in client.predictions.list()]
    held = client.predictions.create(version=version_of(ECHO), input={"text": "held"}, prefer="wait=5")
    assert (held.status, held.output) == ("succeeded", "held")
    assert client.predictions.wait(held.id).output == "held"


def test_files(client):
    file = client.files.create(content=b"hello", filename="hello.txt", type="text/plain", metadata={"a": {"b": "1"}})
    assert (file.size, file.content_type, file.metadata) == (5, "text/plain", {"a": {"b": "1"}})
    assert client.files.get(file_id=file.id).checksums.sha256.startswith("2cf24dba")
    assert file.id in [listed.id for listed in client.files.list()]
    client.files.delete(file_id=file.id)
    with pytest.raises(replicate.NotFoundError, match="File not found"):
        client.files.get(file_id=file.id)


def test_models_and_versions(client):
    name = f"made-{uuid.uuid4().hex[:8]}"
    where = {"model_owner": "nina", "model_name": name}
    client.models.create(owner="nina", name=name, visibility="private", hardware="cpu")
    assert client.models.update(**where, description="New words", readme="# Read me").description == "New words"
    assert client.models.get(**where).description == "New words"
    assert client.models.readme.get(**where) == "# Read me"
    assert list(client.models.versions.list(**where)) == []
    client.models.delete(**where)
    with pytest.raises(replicate.NotFoundError):
        client.models.get(**where)
    echo = {"model_owner": "nina", "model_name": "echo"}
    assert [version.id for version in client.models.versions.list(**echo)] == [version_of(ECHO)]
    assert client.models.versions.get(**echo, version_id=version_of(ECHO)).id == version_of(ECHO)
    assert "echo" in [model.name for model in client.models.list()]
    assert "echo" in [model.name for model in client.models.search(body="echo")]
    assert list(client.models.examples.list(**echo)) is not None
    owner, _, name = OFFICIAL.partition("/")
    prediction = client.models.predictions.create(model_owner=owner, model_name=name, input={"text": "x"})
    assert ended(client, prediction.id).output == "x"


def test_search(client):
    found = client.search(query="echo", limit=5)
    assert "echo" in [result.model.name for result in found.models]


def test_deployments(client):
    name = f"made-{uuid.uuid4().hex[:8]}"
    where = {"deployment_owner": "nina", "deployment_name": name}
    configuration = {"hardware": "cpu", "min_instances": 0, "max_instances": 1}
    created = client.deployments.create(name=name, model="nina/echo", version=version_of(ECHO), **configuration)
    assert created.current_release.number == 1
    assert client.deployments.update(**where, max_instances=2).current_release.number == 2
    assert name in [deployment.name for deployment in client.deployments.list()]
    assert client.deployments.get(**where).current_release.configuration.max_instances == 2
    prediction = client.deployments.predictions.create(**where, input={"text": "deployed"})
    assert ended(client, prediction.id).output == "deployed"
    assert client.deployments.update(**where, max_instances=0).current_release.number == 3


def test_trainings(client):
    destination = f"trained-{uuid.uuid4().hex[:8]}"
    client.models.create(owner="nina", name=destination, visibility="private", hardware="cpu")
    learner = {"model_owner": "nina", "model_name": "learner", "version_id": version_of(LEARNER)}
    inputs = {"text": "data:text/plain;base64,aGVsbG8=", "seconds": 60}
    training = client.trainings.create(**learner, destination=f"nina/{destination}", input=inputs)
    assert client.trainings.get(training_id=training.id).id == training.id
    assert training.id in [listed.id for listed in client.trainings.list()]
    assert client.trainings.cancel(training_id=training.id).status == "canceled"


def test_the_webhook_secret(client):
    assert client.webhooks.default.secret.get().key.startswith("whsec_")
