"""From a submitted archive to a version that can run.

`enqueue` writes a build's row (queued) and wakes a worker; `execute` claims it (running), makes everything anew from
the archive, and ends it: succeeded with an accepted version, or failed with the reason in words. A worker that dies
falls silent; `sweep` gives its build to another one, twice at most. Needs no message to arrive: rows and the sweep are
enough.
"""

import datetime
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from celery import current_app
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerDown

from marketplace.lib.ids import new_id
from models_catalog import publishing
from models_catalog.cog_config import CogConfig
from models_catalog.models import Version
from runner import build_streams, environments, model_schemas, trial_setup
from runner.build_commands import StepLog
from runner.build_errors import BuildFailed, ClaimLost
from runner.build_log import BuildLog
from runner.build_streams import BuildEvent
from runner.environments import (
    Environment,
    EnvironmentUnavailable,
    ReadyEnvironment,
    ensure_environment,
)
from runner.model_schemas import ModelSchema
from runner.models import Build, Hardware

__all__ = ["EnvironmentUnavailable", "enqueue", "ensure_environment", "execute", "sweep"]

log = structlog.get_logger(__name__)

MAX_TRIES = 3  # the first, and two more after a worker was lost
SILENT_AFTER = datetime.timedelta(seconds=60)
_UNFINISHED = (Build.Status.QUEUED, Build.Status.RUNNING)
_WAKE_AGAIN_SECONDS = 60
_LOST = "[modelyard] The worker was lost; trying again from the start.\n"
_GAVE_UP = "The platform lost the build three times. Submit the same archive again, or ask the operator."


def enqueue(version_id: str) -> Build:
    """The unfinished build of a version, made if there is none; a worker is told after commit."""
    try:
        with transaction.atomic():
            build = Build.objects.create(version_id=version_id)
    except IntegrityError:
        unfinished = Build.objects.filter(version_id=version_id, status__in=_UNFINISHED).first()
        if unfinished is None:  # it ended between the two statements
            return enqueue(version_id)
        build = unfinished
    transaction.on_commit(partial(_wake, build.pk))
    return build


def _wake(build_id: int) -> None:
    try:
        current_app.send_task("runner.tasks.build_version", [build_id], retry=False)
    except BrokerDown as error:
        log.warning("build_wakeup_lost", build_id=build_id, error=str(error))


def execute(build_id: int) -> None:
    """Claim a queued build and see it through. Does nothing for one that is claimed or ended.

    A fault of ours (a full disk, a database that is away) is raised; the sweep then tries the build again.
    """
    claim = new_id()
    if not _claim(build_id, claim):
        return
    version = Version.objects.select_related("model__account").get(builds=build_id)
    _remove_remains()
    error = ""
    made: Made | None = None
    with BuildLog(build_id, claim) as build_log:
        build_streams.publish(build_id, BuildEvent("status", status=Build.Status.RUNNING))
        try:
            made = _make(version, claim, build_log)
            build_log.line("The version is ready.")
        except BuildFailed as failure:
            error = str(failure)
            build_log.line(f"The build failed: {error}")
        except ClaimLost:
            log.warning("build_claim_lost", build_id=build_id)
            return
    _finish(build_id, claim, version, made, error)


def _claim(build_id: int, claim: str) -> bool:
    now = timezone.now()
    queued = Build.objects.filter(pk=build_id, status=Build.Status.QUEUED)
    return bool(
        queued.update(status=Build.Status.RUNNING, claim=claim, tries=F("tries") + 1, started_at=now, heartbeat_at=now)
    )


def _remove_remains() -> None:
    claims = set(Build.objects.filter(status=Build.Status.RUNNING).values_list("claim", flat=True))
    environments.remove_remains(claims)
    trial_setup.stop_remains(claims)


@dataclass(frozen=True, slots=True)
class Made:
    """What a build made."""

    config: CogConfig
    schema: ModelSchema
    readme: str


def _make(version: Version, claim: str, log: StepLog) -> Made:
    building = environments.new_building(version.pk, claim)
    try:
        with log.step("Unpack the archive"):
            config = environments.unpack(version, building)
            _refuse_unsupported(config)
            _tell_warnings(config, log)
        with log.step("Create the Python environment"):
            environments.create_venv(building, config, log)
        with log.step("Install the packages"):
            environments.install(building, config, log)
        with log.step("Compile the packages"):
            environments.compile_packages(building, log)
        with log.step("Read the model's inputs and outputs"):
            schema = model_schemas.generate(building, config, log)
            building.write_schema(schema.document)
        with log.step("Try the set-up"):
            _try_setup(version, claim, building, config, schema, log)
        readme = _readme(building)
        environments.complete(building, version.pk)
        return Made(config, schema, readme)
    finally:
        environments.discard(building)


def _refuse_unsupported(config: CogConfig) -> None:
    """What takes an image of its own, which this way of running models doesn't have. Raises BuildFailed."""
    build = config.build
    found = []
    if build and build.system_packages:
        found.append(f"build.system_packages ({', '.join(build.system_packages)})")
    if build and build.run:
        found.append("build.run")
    if build and build.gpu:
        found.append("build.gpu")
    if config.weights:
        found.append("weights")
    if found:
        raise BuildFailed(
            f"cog.yaml uses {', '.join(found)}, which needs a host that runs models in containers; this one runs them "
            "as processes.",
            "Take it out of cog.yaml, or ask the operator for such a host.",
        )
    if config.predict is None:
        raise BuildFailed("cog.yaml names nothing that predicts.", 'Add a line like: run: "run.py:Runner"')


def _tell_warnings(config: CogConfig, log: StepLog) -> None:
    for warning in config.warnings:
        log.line(f"Note: {warning}")
    pinned = config.build.sdk_version if config.build else None
    if pinned and pinned != environments.COG_VERSION:
        log.line(f"Note: build.sdk_version asks for cog {pinned}; models run on cog {environments.COG_VERSION} here.")


def _try_setup(
    version: Version, claim: str, building: Environment, config: CogConfig, schema: ModelSchema, log: StepLog
) -> None:
    hardware = Hardware.objects.filter(pk=version.model.hardware).first()
    environment = ReadyEnvironment(building.venv_dir, building.source_dir, str(config.predict), config.environment)
    memory = hardware.memory_bytes if hardware else None
    seconds = trial_setup.run(trial_setup.Trial(version.pk, claim, environment, schema.max_concurrency, memory), log)
    log.line(f"Ready after {seconds:.1f} s.")


def _readme(building: Environment) -> str:
    path = building.source_dir / "README.md"
    return path.read_text("utf-8-sig", errors="replace") if path.is_file() else ""


def _finish(build_id: int, claim: str, version: Version, made: Made | None, error: str) -> None:
    """Write the end of the build and of its version in one transaction, if the claim is still good."""
    status = Build.Status.FAILED if error else Build.Status.SUCCEEDED
    with transaction.atomic():
        mine = Build.objects.filter(pk=build_id, claim=claim, status=Build.Status.RUNNING)
        if not mine.update(status=status, error=error.replace("\x00", "\ufffd"), completed_at=timezone.now()):
            return
        if made is None:
            publishing.reject_build(version.pk)
        else:
            publishing.accept_build(
                version.pk,
                cog_version=environments.COG_VERSION,
                config=_config_document(made.config),
                schema=made.schema.document,
                max_concurrency=made.schema.max_concurrency,
                readme=made.readme,
            )
    log.info("build_finished", build_id=build_id, version=version.pk, status=str(status))
    _publish_end(build_id)


def _publish_end(build_id: int) -> None:
    for event in build_streams.events_after(build_id, 0) or []:
        if event.kind == "done":
            build_streams.publish(build_id, event)


def _config_document(config: CogConfig) -> dict[str, Any]:
    """What of cog.yaml holds: what running needs (`predict`, `environment`), and what a page shows."""
    build = config.build
    return {
        "predict": str(config.predict),
        "train": str(config.train) if config.train else None,
        "environment": dict(config.environment),
        "python_version": build.python_version if build else None,
        "requirements": list(build.requirements) if build else [],
    }


def sweep() -> None:
    """Find what wake-ups and dead workers left: silent builds, versions without a build, queued builds."""
    _retry_silent()
    unfinished = Build.objects.filter(status__in=_UNFINISHED).values("version_id")
    for version_id in (
        Version.objects.filter(status=Version.Status.SUBMITTED).exclude(pk__in=unfinished).values_list("pk", flat=True)
    ):
        enqueue(version_id)
    for build_id in Build.objects.filter(status=Build.Status.QUEUED).order_by("pk").values_list("pk", flat=True):
        # Not at each sweep: builds may wait long behind others, and each message is looked at once.
        if cache.add(f"build-woken-{build_id}", 1, timeout=_WAKE_AGAIN_SECONDS):
            _wake(build_id)


def _retry_silent() -> None:
    silent = Build.objects.filter(status=Build.Status.RUNNING, heartbeat_at__lt=timezone.now() - SILENT_AFTER)
    for build in silent:
        mine = Build.objects.filter(pk=build.pk, claim=build.claim, status=Build.Status.RUNNING)
        if build.tries < MAX_TRIES:
            mine.update(status=Build.Status.QUEUED, claim="", log=Concat(F("log"), Value(_LOST)))
            cache.delete(f"build-woken-{build.pk}")
        elif _give_up(build):
            _publish_end(build.pk)


def _give_up(build: Build) -> bool:
    with transaction.atomic():
        mine = Build.objects.filter(pk=build.pk, claim=build.claim, status=Build.Status.RUNNING)
        ended = mine.update(status=Build.Status.FAILED, error=_GAVE_UP, completed_at=timezone.now())
        if ended:
            publishing.reject_build(build.version_id)
    return bool(ended)
