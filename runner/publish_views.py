"""Pages of publishing: the form, and the page of a version with its build. Both work without JavaScript.

An upload survives a mistake elsewhere in the form: it is kept as one of the user's files until the form is sent again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import Caller
from accounts.authentication import session_caller
from marketplace.lib.problems import Conflict, NotFound, PayloadTooLarge, Problem, Unauthenticated, ValidationFailed
from models_catalog import lookup, publishing
from models_catalog.models import Version
from runner import files
from runner.build_streams import ENDED
from runner.models import StoredFile
from runner.publish_folders import hardware_skus
from runner.publish_forms import ARCHIVE_HELP, NEW, PublishForm


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def publish(request: HttpRequest) -> HttpResponse:
    """Ask for an archive and its model; a good one leads to the page of its build."""
    caller = _caller(request)
    if request.method == "GET":
        return _render(request, PublishForm(caller, initial={"target": request.GET.get("model") or NEW}), None)
    form = PublishForm(caller, request.POST, request.FILES)
    kept = _find_kept(caller, request.POST.get("kept_archive", ""))
    if form.is_valid():
        version = _submit(caller, form, kept)
        if version:
            if kept:
                files.remove([kept])
            return redirect("version", version.model.account.username, version.model.name, version.pk)
    if "archive" in form.errors:
        kept = None
    elif form.cleaned_data.get("archive"):
        kept = _keep(caller, form)
    return _render(request, form, kept, status=422)


def _caller(request: HttpRequest) -> Caller:
    caller = session_caller(request)
    if caller is None:
        raise Unauthenticated.missing()
    return caller


def _submit(caller: Caller, form: PublishForm, kept: StoredFile | None) -> Version | None:
    """The submitted version; None with the mistakes in the form. A new model is made only with its first version."""
    try:
        with transaction.atomic(), _archive(form, kept) as archive:
            if form.is_new_model:
                model = publishing.create_model(caller, form.new_model(), hardware_skus=hardware_skus())
            else:
                model = publishing.get_own_model(caller, caller.username, form.cleaned_data["target"])
            return publishing.submit_version(caller, model, archive)
    except ValidationFailed as problem:
        for error in problem.errors:
            form.add_mistake(error.pointer.strip("/"), error.detail)
    except Conflict as problem:
        form.add_mistake("name", problem.detail)
    except Problem as problem:
        form.add_error("archive", problem.detail)
    return None


@contextmanager
def _archive(form: PublishForm, kept: StoredFile | None) -> Iterator[IO[bytes]]:
    uploaded = form.cleaned_data.get("archive")
    if uploaded:
        yield uploaded
    elif kept:
        with default_storage.open(kept.key) as stored:
            yield stored
    else:
        raise NotFound("The archive is no longer here; choose it again.")


def _find_kept(caller: Caller, file_id: str) -> StoredFile | None:
    try:
        return files.get_upload(caller, file_id) if file_id else None
    except NotFound:
        return None


def _keep(caller: Caller, form: PublishForm) -> StoredFile | None:
    uploaded = form.cleaned_data["archive"]
    uploaded.seek(0)
    try:
        return files.store_upload(
            caller, uploaded, name=uploaded.name, content_type=uploaded.content_type or "", metadata={"for": "publish"}
        )
    except PayloadTooLarge:  # larger than uploads may be: it has to be chosen again
        return None


def _render(request: HttpRequest, form: PublishForm, kept: StoredFile | None, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "kept": kept,
        "archive_help": ARCHIVE_HELP.format(megabytes=settings.ARCHIVE_MAX_BYTES / 1_000_000),
    }
    return render(request, "runner/publish.html", context, status=status)


@never_cache
@require_safe
def version_page(request: HttpRequest, owner: str, name: str, version_id: str) -> HttpResponse:
    """A version and, for the model's owner, its build. Others see versions that can run."""
    caller = session_caller(request)
    model = lookup.get_model(caller, owner, name)
    version = lookup.visible_versions(caller).filter(model=model, pk=version_id.lower()).first()
    is_owner = caller is not None and caller.owns(model.account_id)
    if version is None or not (is_owner or version.is_ready):
        raise NotFound
    build = version.builds.first() if is_owner else None
    context: dict[str, Any] = {
        "model": model,
        "version": version,
        "build": build,
        "is_owner": is_owner,
        "is_under_way": build is not None and build.status not in ENDED,
        "log_length": len(build.log) if build else 0,
        "is_latest": model.latest_version_id == version.pk,
        "what": build.error.splitlines() if build and build.error else [],
    }
    return render(request, "runner/version.html", context)
