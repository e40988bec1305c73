"""Real builds: uv makes the environments, the generator reads the models, coglet tries their set-up."""

import datetime
import os
import threading

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.utils import timezone

from models_catalog import publishing
from models_catalog.models import Version
from runner import build_streams, builds, environments, pythons, trial_setup
from runner.build_errors import ClaimLost
from runner.build_log import BuildLog
from runner.models import Build
from tests.models_catalog.projects import COG_YAML, PREDICT, project
from tests.runner.building import build, submit_files, submit_model, uv_cache


@pytest.fixture(autouse=True)
def _folders(settings, tmp_path):
    settings.UV_CACHE_DIR = uv_cache()
    settings.ENVIRONMENTS_DIR = tmp_path / "environments"


def cog_yaml(extra: str) -> str:
    return f'build:\n  python_version: "3.11"\n  {extra}\nrun: "predict.py:Runner"\n'


# --- What comes of it ---------------------------------------------------------------------------------------------


def test_a_submitted_model_becomes_a_version_that_can_run(alice, settings):
    version = submit_model(alice, "stream")
    done = build(version)
    assert (done.status, done.error) == ("succeeded", "")
    assert (version.status, version.cog_version) == ("ready", "0.23.1")
    assert version.config["predict"] == "predict.py:Runner"
    assert version.openapi_schema["paths"]["/predictions"]["post"]["x-cog-streaming"] is True
    version.model.refresh_from_db()
    assert version.model.latest_version_id == version.pk
    headings = [line[4:].split("  [")[0] for line in done.log.splitlines() if line.startswith("==> ")]
    assert headings == [
        "Unpack the archive",
        "Create the Python environment",
        "Install the packages",
        "Compile the packages",
        "Read the model's inputs and outputs",
        "Try the set-up",
    ]
    assert " + cog==0.23.1" in done.log
    assert [folder.name for folder in settings.ENVIRONMENTS_DIR.iterdir()] == [version.pk]
    environment = builds.ensure_environment(version)
    assert environment.reference == "predict.py:Runner"
    assert (environment.venv_dir / "bin" / "python").exists()
    assert (environment.source_dir / ".cog" / "openapi_schema.json").exists()
    assert list(environment.venv_dir.glob("lib/python*/site-packages/cog/__pycache__/*.pyc"))


def test_a_host_that_lacks_an_environment_makes_it_again_from_the_archive(alice, settings, tmp_path):
    version = submit_files(alice, project(cog__yaml=cog_yaml("gpu: false") + 'environment: ["A=b"]\n'))
    assert build(version).status == "succeeded"
    settings.ENVIRONMENTS_DIR = tmp_path / "another host"
    environment = builds.ensure_environment(version)
    assert (environment.source_dir / "predict.py").read_text() == PREDICT
    assert (environment.source_dir / ".cog" / "openapi_schema.json").exists()
    assert environment.env == {"A": "b"}


def test_a_trained_version_has_its_bases_environment(alice):
    version = submit_files(alice, project(cog__yaml=cog_yaml("gpu: false") + 'environment: ["A=b"]\n'))
    assert build(version).status == "succeeded"
    version.refresh_from_db()
    trained = publishing.accept_trained("t" * 26, model=version.model, trainer=version, weights="", created_by_id=None)
    assert builds.ensure_environment(trained) == builds.ensure_environment(version)


def test_what_the_model_prints_in_its_setup_is_in_the_log(alice):
    # coglet loses what is printed in the last moments before a set-up fails (cog-runtime.md 4.3): the model waits.
    setup = (
        "    def setup(self) -> None:\n        print('looking for weights')\n"
        "        __import__('time').sleep(1)\n        raise OSError('no weights')\n"
    )
    files = project(predict__py=PREDICT.replace("    def run", f"{setup}\n    def run"))
    version = submit_files(alice, files)
    done = build(version)
    assert (done.status, version.status) == ("failed", "failed")
    assert done.error.startswith("The model's set-up failed: OSError: no weights")
    assert "looking for weights" in done.log


def test_a_failed_version_can_be_submitted_again_and_keeps_its_old_log(alice):
    files = project(cog__yaml=cog_yaml("system_packages: [ffmpeg]"))
    version = submit_files(alice, files)
    assert build(version).status == "failed"
    submit_files(alice, files, version.model)
    assert [b.status for b in Build.objects.filter(version=version)] == ["queued", "failed"]


# --- What to mend --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (project(cog__yaml=cog_yaml("system_packages: [ffmpeg]")), "build.system_packages (ffmpeg)"),
        (project(cog__yaml=cog_yaml("run: [make]")), "build.run"),
        (project(cog__yaml=cog_yaml("gpu: true")), "build.gpu"),
        (project(cog__yaml='build:\n  python_version: "3.11"\ntrain: "predict.py:Runner"\n'), "nothing that predicts"),
    ],
    ids=["apt packages", "commands", "gpu", "no predictor"],
)
def test_what_this_host_cannot_do_is_refused_before_anything_is_installed(alice, files, words):
    done = build(submit_files(alice, files))
    assert (done.status, "Install" in done.log) == ("failed", False)
    assert words in done.error


def test_a_missing_python_is_named_with_those_there_are(alice, monkeypatch):
    there = {"3.11": pythons.available()["3.11"]} if "3.11" in pythons.available() else {}
    monkeypatch.setattr(pythons, "available", lambda: there)
    done = build(submit_files(alice, project(cog__yaml=COG_YAML.replace("3.11", "3.13"))))
    assert "build.python_version is 3.13, but this host has only Python 3.11." in done.error
    assert "Set build.python_version to one of 3.11" in done.error


def test_a_package_that_does_not_exist_is_named_with_its_line(alice):
    requirements = "# needs\nrequests\n\nmodelyard-no-such-package==1\n"
    files = project(cog__yaml=cog_yaml("python_requirements: requirements.txt"), requirements__txt=requirements)
    done = build(submit_files(alice, files))
    assert done.error == (
        "There is no package named modelyard-no-such-package.\n"
        "Mend line 4 of requirements.txt (modelyard-no-such-package==1)."
    )


@pytest.mark.parametrize(
    ("predict", "words"),
    [
        ("def broken(:\n", "predict.py"),
        ("import os\nos._exit(3)\n", "ended its process (code 3)"),
        (PREDICT.replace(" -> str", ""), "return"),
        (PREDICT.replace("def run(self)", "def run(self, size)"), "size"),
    ],
    ids=["syntax", "exit", "no return type", "no annotation"],
)
def test_mistakes_in_the_code_are_told_in_words(alice, predict, words):
    done = build(submit_files(alice, project(predict__py=predict)))
    assert done.status == "failed"
    assert words in done.error


@pytest.mark.bwrap
def test_the_models_code_sees_nothing_of_the_platform_while_it_is_built(alice, settings):
    spy = (
        "import os, socket\nfound = [n for n in ('SECRET_KEY', 'DATABASE_URL') if n in os.environ]\n"
        f"found += [p for p in ({str(settings.VAR_DIR)!r}, '/etc/passwd') if os.path.exists(p)]\n"
        "try:\n    socket.create_connection(('1.1.1.1', 53), 1)\n    found.append('network')\n"
        "except OSError:\n    pass\n"
        "assert not found, found\n"
    )
    assert build(submit_files(alice, project(predict__py=spy + PREDICT))).error == ""


# --- Workers that die ------------------------------------------------------------------------------------------------


@pytest.fixture
def queued(alice):
    return Build.objects.get(version=submit_files(alice, project()))


def test_submitting_twice_queues_one_build(queued):
    assert builds.enqueue(queued.version_id).pk == queued.pk


def test_one_of_two_workers_gets_a_build(queued):
    barrier, won = threading.Barrier(2), []

    def claim(token):
        barrier.wait()
        won.append(builds._claim(queued.pk, token))
        connection.close()

    threads = [threading.Thread(target=claim, args=(token,)) for token in ("first", "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False, True]


def silent(queued, tries):
    long_ago = timezone.now() - datetime.timedelta(seconds=61)
    Build.objects.filter(pk=queued.pk).update(status="running", claim="dead", tries=tries, heartbeat_at=long_ago)


@pytest.mark.parametrize("tries", [1, 2])
def test_the_build_of_a_dead_worker_is_tried_again(queued, tries):
    silent(queued, tries)
    builds.sweep()
    queued.refresh_from_db()
    assert (queued.status, queued.claim) == ("queued", "")
    assert "trying again" in queued.log


def test_after_three_lost_workers_the_build_fails_and_says_so(queued):
    silent(queued, builds.MAX_TRIES)
    builds.sweep()
    queued.refresh_from_db()
    assert queued.status == "failed"
    assert "lost the build three times" in queued.error
    assert Version.objects.get(pk=queued.version_id).status == "failed"


def test_a_build_that_was_retried_builds(queued):
    silent(queued, 1)
    builds.sweep()
    builds.execute(queued.pk)
    queued.refresh_from_db()
    assert (queued.status, queued.tries) == ("succeeded", 2)


def test_a_submitted_version_whose_message_was_lost_gets_its_build(queued):
    Build.objects.all().delete()
    builds.sweep()
    assert Build.objects.get(version_id=queued.version_id).status == "queued"


def test_a_worker_whose_claim_is_gone_writes_nothing_more(queued, monkeypatch):
    monkeypatch.setattr("runner.build_log.FLUSH_SECONDS", 0.01)
    assert builds._claim(queued.pk, "mine")
    interrupted = threading.Event()
    with BuildLog(queued.pk, "mine") as log:
        log.interrupt = interrupted.set
        Build.objects.filter(pk=queued.pk).update(claim="another")
        log.line("from the dead")
        assert interrupted.wait(5)
        with pytest.raises(ClaimLost):
            log.line("still here")
    queued.refresh_from_db()
    assert queued.log == ""


def test_remains_of_dead_builds_are_removed_and_running_ones_left(alice, settings, tmp_path):
    for name in ("v.building-dead", "v.building-alive", "v"):
        (settings.ENVIRONMENTS_DIR / name).mkdir(parents=True)
    for folder in settings.ENVIRONMENTS_DIR.iterdir():
        os.utime(folder, (0, 0))
    environments.remove_remains({"alive"})
    trial_setup.stop_remains(set())
    assert sorted(folder.name for folder in settings.ENVIRONMENTS_DIR.iterdir()) == ["v", "v.building-alive"]


# --- Watching ---------------------------------------------------------------------------------------------------------


async def collect(build_id, after=0):
    return [event async for event in build_streams.follow(build_id, after) if event]


def test_a_watcher_gets_the_rest_of_an_ended_builds_log_and_its_end(queued):
    ended = {"status": "failed", "log": "one\ntwo\n", "error": "bad", "completed_at": timezone.now()}
    Build.objects.filter(pk=queued.pk).update(**ended)
    events = async_to_sync(collect)(queued.pk, 4)
    assert [(e.kind, e.at, e.text, e.error) for e in events] == [("log", 4, "two\n", ""), ("done", 8, "", "bad")]


def test_a_watcher_of_a_live_build_gets_all_of_its_log_once(queued, event_loop_thread):
    future = event_loop_thread.start_task_soon(collect, queued.pk)
    builds.execute(queued.pk)
    events = future.result(timeout=30)
    queued.refresh_from_db()
    assert "".join(event.text for event in events) == queued.log
    assert (events[-1].kind, events[-1].status) == ("done", "succeeded")
