"""The first start: publish the sample models through the same way as everybody's, and run one example of each.

Each step looks first for what is there, so it may die at any line and be started again, on every start of the platform.
A sample whose files changed is published as a new version. `progress` tells the home page how far it is, from the rows.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch

from accounts.access import Caller, create_personal_account
from accounts.models import Account, User
from marketplace import samples
from marketplace.lib.problems import Problem
from marketplace.samples import Sample, SampleCollection
from models_catalog import curation, lookup, publishing
from models_catalog.examples import save_example
from models_catalog.model_fields import NewModel
from models_catalog.models import Collection, Model, Version
from runner import predictions, publish_folders
from runner.documents import prediction_document
from runner.models import Build, Prediction
from runner.predictions import NewPrediction
from runner.states import TERMINAL, Status

OWNER = "modelyard"
_POLL_SECONDS = 0.5
_EXAMPLE_SECONDS = 600.0
Report = Callable[[str], None]


def seed(report: Report) -> int:
    """Do what is missing, telling each step; returns how many samples failed. Needs workers and a runner at work."""
    found = samples.read_samples(settings.SAMPLES_DIR)
    if not found.models:
        report("No samples to publish.")
        return 0
    caller = publish_folders.caller_for_account(_ensure_owner())
    for position, collection in enumerate(found.collections):
        _ensure_collection(collection, position)
    # All are submitted first, so that workers build the later ones while the examples of the earlier ones run.
    versions = [_submitted(caller, sample, report) for sample in found.models]
    failures = 0
    for number, (sample, version) in enumerate(zip(found.models, versions, strict=True), start=1):
        label = f"[{number}/{len(versions)}] {OWNER}/{sample.name}"
        is_built = version is not None and _is_built(version, label, report)
        failures += not (is_built and _ensure_example(caller, sample, label, report))
    report(f"Samples: {len(versions) - failures} of {len(versions)} are ready.")
    return failures


def _ensure_owner() -> Account:
    account = Account.objects.filter(username=OWNER).first()
    if account:
        return account
    with transaction.atomic():
        user = User(username=OWNER, email=f"{OWNER}@localhost", first_name=settings.SITE_NAME)
        user.set_unusable_password()  # nobody signs in as it; an operator may set a password
        user.save()
        return create_personal_account(user)


def _ensure_collection(collection: SampleCollection, position: int) -> None:
    defaults = {"name": collection.name, "description": collection.description, "position": position}
    Collection.objects.get_or_create(slug=collection.slug, defaults=defaults)


def _submitted(caller: Caller, sample: Sample, report: Report) -> Version | None:
    try:
        return publish_folders.submit_folder(caller, _ensure_model(caller, sample), sample.folder)
    except Problem as problem:
        report(f"{OWNER}/{sample.name} can't be published: {problem.detail}")
        return None


def _ensure_model(caller: Caller, sample: Sample) -> Model:
    """Its links and collections are set when it is made; what an operator changes later stays."""
    existing = Model.objects.filter(account_id=caller.account_id, name=sample.name).select_related("account").first()
    if existing:
        return existing
    new = NewModel(OWNER, sample.name, Model.Visibility.PUBLIC, sample.hardware, description=sample.description)
    with transaction.atomic():
        model = publishing.create_model(caller, new, hardware_skus=publish_folders.hardware_skus())
        publishing.update_model(caller, model, sample.links)
        curation.make_official(model)
        for collection in Collection.objects.filter(slug__in=sample.collections):
            collection.members.add(model)
    return model


def _is_built(version: Version, label: str, report: Report) -> bool:
    if not version.is_ready:
        report(f"{label}: building")
    for text in publish_folders.watch(version):
        for line in text.splitlines():
            if line.startswith("==> "):
                report(f"{label}: {line[4:]}")
    if error := publish_folders.build_error(version):
        report(f"{label}: the build failed. {error}")
        return False
    return True


def _ensure_example(caller: Caller, sample: Sample, label: str, report: Report) -> bool:
    model = Model.objects.get(account_id=caller.account_id, name=sample.name)
    if model.examples.exists():
        return True
    example_input = samples.example_input(sample)
    if example_input is None or model.latest_version_id is None:
        return True
    prediction = _find_example_run(caller, model)
    if prediction is None:
        facts = lookup.find_facts(caller, model.latest_version_id)
        if facts is None:
            return True  # taken down by an operator
        report(f"{label}: running its example")
        try:
            prediction = predictions.create(caller, facts, NewPrediction(example_input, source=Prediction.Source.WEB))
        except Problem as problem:
            report(f"{label}: the example is not accepted. {problem.detail}")
            return False
    return _keep_example(model, prediction.pk, label, report)


def _find_example_run(caller: Caller, model: Model) -> Prediction | None:
    """A run of an earlier start that succeeded or is still under way."""
    runs = predictions.list_predictions(caller).filter(version_id=model.latest_version_id)
    return runs.exclude(status__in=TERMINAL - {Status.SUCCEEDED}).order_by("-created_at").first()


def _keep_example(model: Model, prediction_id: str, label: str, report: Report) -> bool:
    until = time.monotonic() + _EXAMPLE_SECONDS
    while time.monotonic() < until:
        prediction = Prediction.objects.get(pk=prediction_id)
        if prediction.status == Status.SUCCEEDED:
            save_example(model, prediction_document(prediction))
            report(f"{label}: ready")
            return True
        if prediction.is_terminal:
            report(f"{label}: the example {prediction.status}. {prediction.error or ''}")
            return False
        time.sleep(_POLL_SECONDS)
    report(f"{label}: the example still waits; is a runner at work?")
    return False


# --- Progress -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SampleProgress:
    """One sample. state: waiting, building, running (its example), ready or failed; error: why it failed."""

    name: str
    title: str
    state: str
    url: str
    error: str = ""

    @property
    def is_done(self) -> bool:
        """Nothing more will happen to it in this start."""
        return self.state in ("ready", "failed")


@dataclass(frozen=True, slots=True)
class Seeding:
    """How far it is with all of them."""

    steps: Sequence[SampleProgress]

    @property
    def total(self) -> int:
        """Samples in all."""
        return len(self.steps)

    @property
    def done(self) -> int:
        """Samples that are ready or failed."""
        return sum(step.is_done for step in self.steps)

    @property
    def is_done(self) -> bool:
        """Nothing to wait for."""
        return self.done == self.total


_is_over = threading.Event()  # once all is done, this process looks no more


def progress() -> Seeding | None:
    """Where seeding stands; None if it is switched off, has not begun, or is over."""
    if _is_over.is_set() or not settings.SEED:
        return None
    account = Account.objects.filter(username=OWNER).first()
    if account is None:
        return None
    versions = Prefetch("versions", Version.objects.defer("openapi_schema").order_by("-created_at"))
    builds = Prefetch("versions__builds", Build.objects.defer("log").order_by("-pk"))
    rows = Model.objects.filter(account=account).prefetch_related(versions, builds, "examples")
    models = {model.name: model for model in rows}
    ended = Prediction.objects.filter(account=account, status__in=TERMINAL).values_list("model_id", flat=True)
    tried = set(ended.distinct())
    found = samples.read_samples(settings.SAMPLES_DIR).models
    seeding = Seeding([_step(sample, models.get(sample.name), tried) for sample in found])
    if seeding.is_done:
        _is_over.set()
        return None
    return seeding


def _step(sample: Sample, model: Model | None, tried: set[int]) -> SampleProgress:
    state, error = "waiting", ""
    newest = next(iter(model.versions.all()), None) if model else None
    if model and newest:
        build = next(iter(newest.builds.all()), None)
        if newest.status == Version.Status.FAILED:
            state, error = "failed", build.error if build else ""
        elif newest.is_ready:
            state = "ready" if model.examples.all() or model.pk in tried else "running"
        elif build and build.status == Build.Status.RUNNING:
            state = "building"
    return SampleProgress(sample.name, sample.title, state, f"/{OWNER}/{sample.name}", error)
