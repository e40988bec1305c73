"""The pages of one's deployments: list, create, look, change, roll back, delete. They work without JavaScript."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import Caller
from accounts.authentication import session_caller
from marketplace.lib.problems import Conflict, Unauthenticated, ValidationFailed
from models_catalog import lookup
from runner import deployments
from runner.deployment_forms import NewDeploymentForm, ReleaseForm
from runner.deployment_panels import instance_rows, recent_failures, standings
from runner.models import Deployment

_MOST_SHOWN = 200
_MOST_RELEASES = 50


@never_cache
@login_required
@require_safe
def deployment_list(request: HttpRequest) -> HttpResponse:
    """All of the account's."""
    rows = deployments.list_deployments(_caller(request)).order_by("-created_at", "-pk")[:_MOST_SHOWN]
    return render(request, "runner/deployments.html", {"standings": standings(list(rows))})


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def new_deployment(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """Deploy the model `owner/name`."""
    caller = _caller(request)
    model = lookup.get_model(caller, owner, name)
    form = NewDeploymentForm(caller, model, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            deployment = deployments.create(caller, form.new_deployment())
        except ValidationFailed as problem:
            form.add_mistakes(problem)
        except Conflict as problem:
            form.add_error("name", problem.detail)
        else:
            messages.success(request, f"{deployment.full_name} is made.")
            return redirect("deployment", deployment.name)
    context = {"form": form, "model": model}
    return render(request, "runner/deployment_new.html", context, status=422 if form.errors else 200)


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def deployment_page(request: HttpRequest, name: str) -> HttpResponse:
    """How it stands; a POST changes it."""
    caller = _caller(request)
    deployment = deployments.get_deployment(caller, caller.username, name)
    form = _form(caller, deployment, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            changed = deployments.update(caller, caller.username, name, form.changes())
        except ValidationFailed as problem:
            form.add_mistakes(problem)
        else:
            _tell(request, deployment, changed)
            return redirect("deployment", changed.name)
    context = {
        "standing": standings([deployment])[0],
        "deployment": deployment,
        "form": form,
        "instances": instance_rows(deployment),
        "failures": recent_failures(deployment),
        "releases": deployments.list_releases(deployment).order_by("-number")[:_MOST_RELEASES],
    }
    return render(request, "runner/deployment.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def roll_back(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """Go back to a release."""
    caller = _caller(request)
    before = deployments.get_deployment(caller, caller.username, name)
    try:
        changed = deployments.roll_back(caller, caller.username, name, number)
        _tell(request, before, changed)
    except (Conflict, ValidationFailed) as problem:
        messages.error(request, problem.detail)
    return redirect("deployment", name)


@login_required
@require_POST
def delete_deployment(request: HttpRequest, name: str) -> HttpResponse:
    """Remove it for good."""
    caller = _caller(request)
    try:
        deployments.delete(caller, caller.username, name)
    except Conflict as problem:
        messages.error(request, problem.detail)
        return redirect("deployment", name)
    messages.success(request, f"{caller.username}/{name} is deleted.")
    return redirect("deployments")


def _caller(request: HttpRequest) -> Caller:
    caller = session_caller(request)
    if caller is None:
        raise Unauthenticated.missing()
    return caller


def _form(caller: Caller, deployment: Deployment, data: Any) -> ReleaseForm:
    release = deployment.current_release
    assert release is not None
    return ReleaseForm(caller, release.version.model, data, release=release)


def _tell(request: HttpRequest, before: Deployment, after: Deployment) -> None:
    assert after.current_release is not None
    if before.current_release_id == after.current_release_id:
        messages.info(request, "Nothing changed.")
    elif after.is_rolling:
        words = "The release before answers until its instances are ready."
        messages.success(request, f"Release {after.current_release.number} is made. {words}")
    else:
        messages.success(request, f"Release {after.current_release.number} is made.")
