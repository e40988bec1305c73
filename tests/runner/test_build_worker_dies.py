"""A worker that is killed in the middle of a build: another one starts it anew, and nothing of the first is left."""

import datetime
import os
import subprocess
import sys
import time
from urllib.parse import quote

import pytest
from django.conf import settings
from django.utils import timezone

from runner import builds
from runner.models import Build
from tests.models_catalog.projects import PREDICT, project
from tests.runner.building import build, submit_files, uv_cache

pytestmark = [pytest.mark.chaos]
SLOW_SETUP = "    def setup(self) -> None:\n        import time\n        time.sleep(1.5)\n"
WORK = "import django; django.setup(); from runner import builds; builds.execute({})"


def start_worker(build_id):
    database = settings.DATABASES["default"]
    address = f"postgres://{database['USER']}@{quote(database['HOST'], safe='')}/{database['NAME']}"
    environment = {**os.environ, "DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    return subprocess.Popen([sys.executable, "-c", WORK.format(build_id)], env=environment, cwd=settings.BASE_DIR)


def trial_processes(claim):
    found = subprocess.run(["pgrep", "-f", f"building-{claim}"], capture_output=True, text=True, check=False)
    return found.stdout.split()


@pytest.mark.parametrize("step", ["Install the packages", "Try the set-up"])
def test_another_worker_starts_the_build_anew(alice, monkeypatch, step):
    monkeypatch.setattr(settings, "UV_CACHE_DIR", uv_cache())
    files = project(predict__py=PREDICT.replace("    def run", f"{SLOW_SETUP}\n    def run"), step__txt=step)
    version = submit_files(alice, files)
    queued = Build.objects.get(version=version)
    monkeypatch.setenv("UV_CACHE_DIR", str(uv_cache()))
    worker = start_worker(queued.pk)
    until = time.monotonic() + 60
    while f"==> {step}" not in Build.objects.get(pk=queued.pk).log and time.monotonic() < until:
        time.sleep(0.02)
    worker.kill()
    worker.wait()
    queued.refresh_from_db()
    first_claim = queued.claim
    assert (queued.status, step in queued.log) == ("running", True)

    Build.objects.update(heartbeat_at=timezone.now() - datetime.timedelta(seconds=61))
    builds.sweep()
    done = build(version)
    assert (done.status, done.tries, version.status) == ("succeeded", 2, "ready")
    assert trial_processes(first_claim) == []
    assert first_claim != done.claim
