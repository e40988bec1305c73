"""A site to be called at random: its models are `nina`'s, the caller is somebody else, who can't harm them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.plugins.live_site import ROOT, LiveSite

CALLER = "finn"
CONFIG = Path(__file__).parent / "schemathesis.toml"


def facts(site: LiveSite, token: str) -> dict[str, Any]:
    """What exists on the site, made where it is missing: models, predictions, streams, a collection."""
    echo, stream = site.publish("echo"), site.publish("stream")
    site.publish("echo", "official-echo", is_official=True)
    body = {"version": stream, "input": {"count": 3}}
    made = [
        site.request("POST", "/v1/predictions", token=token, json=body, headers={"Prefer": "wait"}).json()
        for _ in range(3)
    ]
    site.run_python(_COLLECTION)
    hardware = site.request("GET", "/v1/hardware", token=token).json()
    file = site.request("POST", "/v1/files", token=token, files={"content": b"hello"}).json()
    link = site.run_python(_DOWNLOAD.format(file_id=file["id"], owner=CALLER)).strip()
    download = {name: value for name, [value] in parse_qs(urlsplit(link).query).items()}
    return {
        "caller": CALLER,
        "download": {**download, "expiry": int(download["expiry"]), "file_id": file["id"]},
        "owners": ["nina", CALLER],
        "names": ["echo", "stream", "official-echo"],
        "versions": [echo, f"nina/echo:{echo}", "nina/official-echo"],
        "version_ids": [echo, stream],
        "predictions": [prediction["id"] for prediction in made],
        "streams": [prediction["urls"]["stream"].rpartition("/")[2] for prediction in made],
        "collections": ["fuzzed"],
        "hardware": [item["sku"] for item in hardware],
    }


_COLLECTION = """
from models_catalog.models import Collection, Model
models = Model.objects.filter(name="echo")
models.update(readme="# Echo")
fuzzed, _ = Collection.objects.get_or_create(slug="fuzzed", defaults={"name": "Fuzzed", "description": "For tests"})
fuzzed.members.set(models)
"""
_DOWNLOAD = """
from runner import files
from runner.models import StoredFile
print(files.download_url(StoredFile.objects.get(pk={file_id!r}), {owner!r}))
"""


def call_by_document(site: LiveSite, token: str, *options: str, report: Path | None = None) -> "subprocess.Popen[str]":
    """Start schemathesis against the site, as the token's account. options: of its `run`."""
    environment = {
        **os.environ,
        "FUZZ_TOKEN": token,
        "FUZZ_FACTS": json.dumps(facts(site, token)),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run"]
    command += [f"{site.base_url}/v1/openapi.json", "--no-color", *options]
    if report:
        command += ["--report-junit-path", str(report)]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
