"""Every official client, unmodified, against a live site by https.  Source: replicate-api.md 8, items 107 to 110; 7.

The second Python client and the Node client run in processes of their own, by their own test runners.
"""

import asyncio
import io
import os
import re
import subprocess
import uuid
from pathlib import Path

import httpx
import pytest
import replicate
from replicate.helpers import FileOutput

from tests.plugins.groups import REPLICATE2

pytestmark = pytest.mark.contract

CONTRACT = Path(__file__).parent.parent
_COLLECTION = """
from models_catalog.models import Collection, Model
tools, _ = Collection.objects.get_or_create(slug="tools", defaults={"name": "Tools", "description": "For tests"})
tools.members.set(Model.objects.filter(name="echo"))
"""


@pytest.fixture(scope="module")
def models(https_site):
    """References of the models that the clients run, by the names that their scripts know."""
    site = https_site.site
    references = {
        name: f"nina/{folder}:{site.publish(folder)}"
        for name, folder in {
            "ECHO": "echo", "WORDS": "stream", "FILES": "files", "SLOW": "slow", "LEARNER": "learner"
        }.items()
    }  # fmt: skip
    site.publish("echo", "official-echo", is_official=True)
    site.run_python(_COLLECTION)
    return {**references, "OFFICIAL": "nina/official-echo"}


@pytest.fixture
def environment(trusted, models):
    """Of a process that drives a client."""
    where = {"SITE": trusted.url, "TOKEN": trusted.site.token, "NODE_EXTRA_CA_CERTS": str(trusted.authorities)}
    return {**os.environ, **where, **models}


@pytest.fixture
def client(trusted):
    return replicate.Client(api_token=trusted.site.token, base_url=trusted.url)


def test_item_107_python_runs_each_kind_of_output(client, models):
    assert client.run(models["ECHO"], input={"text": "hello", "shout": True}) == "HELLO"
    files = client.run(models["FILES"], input={"source": io.BytesIO(b"payload"), "count": 2})
    assert [file.read() for file in files if isinstance(file, FileOutput)] == [b"payload#0", b"payload#1"]
    assert list(client.run(models["WORDS"], input={"count": 2})) == ["word0 ", "word1 "]
    assert client.run(models["OFFICIAL"], input={"text": "by name"}) == "by name"
    assert client.run(models["ECHO"], input={"text": "polled"}, wait=False) == "polled"


def test_item_107_python_runs_asynchronously(client, models):
    assert asyncio.run(client.async_run(models["ECHO"], input={"text": "async"})) == "async"


def test_item_107_python_streams(client, models):
    events = list(client.stream(models["WORDS"], input={"count": 2}))
    assert [(event.event.value, str(event)) for event in events] == [
        ("output", "word0 "),
        ("output", "word1 "),
        ("done", ""),  # the client shows the end as nothing
    ]


def test_item_107_python_handles_files(client, tmp_path):
    path = tmp_path / "hello.txt"
    path.write_bytes(b"hello")
    file = client.files.create(path, metadata={"kind": "greeting"})
    assert (file.name, file.content_type, file.metadata) == ("hello.txt", "text/plain", {"kind": "greeting"})
    assert client.files.get(file.id).id == client.files.list()[0].id == file.id
    assert client.files.delete(file.id) is True


def test_item_107_python_searches_and_pages(client, models):
    assert "echo" in [model.name for model in client.models.search("echo")]
    assert "echo" in [model.name for page in replicate.paginate(client.models.list) for model in page]
    assert client.webhooks.default.secret().key.startswith("whsec_")


def test_item_107_python_trains(client, models):
    destination = f"trained-{uuid.uuid4().hex[:8]}"
    client.models.create(owner="nina", name=destination, visibility="private", hardware="cpu")
    inputs = {"text": io.BytesIO(b"a poem"), "seconds": 60}
    training = client.trainings.create(models["LEARNER"], input=inputs, destination=f"nina/{destination}")
    assert client.trainings.get(training.id).id == client.trainings.list().results[0].id == training.id
    training.cancel()
    training.reload()
    assert training.status == "canceled"


def test_item_107_python_deploys(client, models):
    name = f"py-{uuid.uuid4().hex[:8]}"
    made = client.deployments.create(
        name=name,
        model="nina/echo",
        version=models["ECHO"].partition(":")[2],
        hardware="cpu",
        min_instances=0,
        max_instances=1,
    )
    assert made.current_release.number == 1
    prediction = client.deployments.get(f"nina/{name}").predictions.create(input={"text": "deployed"})
    prediction.wait()
    assert prediction.output == "deployed"
    changed = client.deployments.update(deployment_owner="nina", deployment_name=name, max_instances=2)
    assert changed.current_release.number == 2
    assert name in [deployment.name for deployment in client.deployments.list().results]


@pytest.mark.replicate2
def test_item_108_the_second_python_client_works_strictly_validated(environment):
    command = [str(REPLICATE2 / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
    script = CONTRACT / "replicate2" / "client_tests.py"
    done = subprocess.run(
        [*command, f"--rootdir={script.parent}", str(script)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = len(re.findall(r"^def test_", script.read_text(), re.MULTILINE))
    [passed] = re.findall(r"(\d+) passed", done.stdout)
    assert int(passed) >= wanted


@pytest.mark.node
def test_item_109_the_node_client_works(environment):
    script = CONTRACT / "node" / "client.test.mjs"
    command = ["node", "--test", "--test-reporter=spec", "--test-timeout=90000", script.name]
    done = subprocess.run(command, cwd=script.parent, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = len(re.findall(r"^test\(", script.read_text(), re.MULTILINE))
    assert f"pass {wanted}" in done.stdout


@pytest.mark.go
def test_item_110_the_command_line_client_works(environment, trusted, models, tmp_path):
    """Only where Replicate's own binary is installed; its provider for Terraform is not driven."""
    where = {"REPLICATE_BASE_URL": f"{trusted.url}/v1/", "REPLICATE_API_TOKEN": trusted.site.token}

    def run(*words: str) -> str:
        done = subprocess.run(
            ["replicate", *words],
            cwd=tmp_path,
            env={**environment, **where, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "word0 word1 " in run("run", models["WORDS"], "count=2")
    source = tmp_path / "source.txt"
    source.write_bytes(b"payload")
    run("run", models["FILES"], f"source=@{source}", "count=1", "--save", "--output-directory", str(tmp_path / "out"))
    assert [file.read_bytes() for file in (tmp_path / "out").iterdir()] == [b"payload#0"]
    assert "echo" in run("model", "list")
    listed = httpx.get(f"{trusted.url}/v1/trainings", headers={"Authorization": f"Bearer {trusted.site.token}"})
    assert all(training["id"] in run("training", "list") for training in listed.json()["results"][:1])
