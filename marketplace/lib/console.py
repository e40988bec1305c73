"""Base of every page of the operators' console: staff read everything and write only through verbs that take a reason.

Nothing is changed by saving a form of columns: `ReadOnlyAdmin` shows rows, and `with_reason` asks why before it calls a
verb, in a transaction, so that what was done and its audit entry are one.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.db import transaction
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from marketplace.lib.problems import Problem

REASON_LIMIT = 2_000  # characters


class ReasonField(forms.CharField):
    """Why an operator does something. Always required."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", "Reason")
        super().__init__(
            max_length=REASON_LIMIT,
            widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
            error_messages={"required": "Say why. The audit log keeps it."},
            **kwargs,
        )


class ReasonForm(forms.Form):
    """Asks why."""

    reason = ReasonField()


class StaffAdmin(ModelAdmin):
    """What staff may do with rows of a kind: see them. Subclasses allow more, each through a verb."""

    actions = None
    list_per_page = 50
    show_full_result_count = False
    list_disable_select_all = True

    def has_module_permission(self, request: HttpRequest) -> bool:
        """All operators see all of the console."""
        return bool(request.user.is_staff)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As above."""
        return bool(request.user.is_staff)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows are made by the platform."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Rows are changed by verbs."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nothing is deleted here."""
        return False

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The audit log has it."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The audit log has it."""

    def offers(self, action: str, row: Any) -> bool:
        """Does the action (its `url_path`) make sense for the row as it is? Its button is shown only then."""
        return True

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Those that make sense now. (The verbs refuse the others, whoever asks.)"""
        row = self.get_object(request, unquote(object_id))
        return [action for action in super().get_actions_detail(request, object_id) if self.offers(action.path, row)]

    def with_reason(
        self,
        request: HttpRequest,
        object_id: str,
        *,
        title: str,
        effect: str,
        done: str,
        verb: Callable[[Any, str], object],
    ) -> HttpResponse:
        """A page that says what will happen and asks why, then calls `verb(row, reason)` and goes back to the row.

        title and effect: sentences in which `{}` is the row's name; done: the message after it.
        """
        return self.with_form(
            request,
            object_id,
            form_class=ReasonForm,
            title=title,
            effect=effect,
            done=done,
            verb=lambda row, data: verb(row, data["reason"]),
        )

    def with_form(
        self,
        request: HttpRequest,
        object_id: str,
        *,
        form_class: type[ReasonForm],
        title: str,
        effect: str,
        done: str,
        verb: Callable[[Any, dict[str, Any]], object],
        initial: Callable[[Any], dict[str, Any]] = lambda row: {},
        is_atomic: bool = True,
    ) -> HttpResponse:
        """As `with_reason`, asking for more than why: `verb(row, data)` gets the form's clean data.

        is_atomic: False for a verb that calls others over the network, and so has transactions of its own.
        """
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        form = form_class(request.POST) if request.method == "POST" else form_class(initial=initial(row))
        if request.method == "POST" and form.is_valid():
            try:
                with transaction.atomic() if is_atomic else nullcontext():
                    verb(row, form.cleaned_data)
            except Problem as problem:
                form.add_error(None, problem.detail)
            else:
                messages.success(request, done.format(row))
                return HttpResponseRedirect(self._page_after(row))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title.format(row),
            "effect": effect.format(row),
            "form": form,
            "row": row,
            "back": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk]),
        }
        return TemplateResponse(request, "console/reason.html", context, status=422 if form.errors else 200)

    def _page_after(self, row: Model) -> str:
        """The row's page, or the list if the row is gone."""
        pages = f"admin:{self.opts.app_label}_{self.opts.model_name}"
        still_there = type(row)._default_manager.filter(pk=row.pk).exists()
        return reverse(f"{pages}_change", args=[row.pk]) if still_there else reverse(f"{pages}_changelist")


class ReadOnlyAdmin(StaffAdmin):
    """Rows to read. All columns but the `hidden` ones are shown."""

    hidden: ClassVar[tuple[str, ...]] = ()

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """Also the columns that no form could change."""
        return [column.name for column in self.opts.concrete_fields if column.name not in self.hidden]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """All of them."""
        return [] if obj is None else self.get_fields(request, obj)
