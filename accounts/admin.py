"""People in the operators' console: accounts, users, tokens, and the audit log."""

from typing import Any, ClassVar

from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display

from accounts import suspension, tokens
from accounts.access import operator_of
from accounts.models import Account, ApiToken, AuditEntry, User
from marketplace.lib.console import ReadOnlyAdmin

admin.site.unregister(Group)  # there is one kind of operator
admin.site.unregister(EmailAddress)
admin.site.disable_action("delete_selected")


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    """Namespaces. Suspending one ends its sessions and tokens and cancels its work."""

    list_display: ClassVar = ["username", "kind", "shown_state", "created_at"]
    list_filter: ClassVar = ["kind", ("suspended_at", admin.EmptyFieldListFilter)]
    search_fields: ClassVar = ["username", "name", "user__email"]
    ordering: ClassVar = ["-created_at"]
    hidden = ("webhook_secret", "previous_webhook_secret")
    actions_detail: ClassVar = ["suspend", "restore"]

    def offers(self, action: str, row: Any) -> bool:
        """One or the other."""
        return bool(row and row.is_suspended) == (action == "restore")

    @display(description="State", label={"Suspended": "danger", "Active": "success"})
    def shown_state(self, account: Account) -> str:
        """In a word."""
        return "Suspended" if account.is_suspended else "Active"

    @action(description="Suspend…", url_path="suspend", icon="block")
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then suspend."""
        return self.with_reason(
            request,
            object_id,
            title="Suspend {}",
            effect="{} can no longer sign in, its tokens are refused, what it has queued or running is canceled, and "
            "its models are hidden.",
            done="{} is suspended.",
            verb=lambda account, reason: suspension.suspend(operator_of(request), account, reason=reason),
        )

    @action(description="Restore…", url_path="restore", icon="undo")
    def restore(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then lift the suspension."""
        return self.with_reason(
            request,
            object_id,
            title="Restore {}",
            effect="{} can sign in again, and its tokens and models work as before. Canceled runs stay canceled.",
            done="{} is active again.",
            verb=lambda account, reason: suspension.restore(operator_of(request), account, reason=reason),
        )


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    """People who sign in. Their passwords are never shown, not even as digests."""

    list_display: ClassVar = ["username", "email", "is_staff", "is_active", "last_login", "date_joined"]
    list_filter: ClassVar = ["is_staff", "is_active"]
    search_fields: ClassVar = ["username", "email"]
    ordering: ClassVar = ["-date_joined"]
    hidden = ("password", "groups", "user_permissions")


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """What is known of tokens: never their text, nor its digest."""

    list_display: ClassVar = ["name", "account", "shown_token", "created_at", "last_used_at", "revoked_at"]
    list_filter: ClassVar = [("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["name", "account__username", "last4"]
    ordering: ClassVar = ["-created_at"]
    hidden = ("digest",)
    actions_detail: ClassVar = ["revoke"]

    def offers(self, action: str, row: Any) -> bool:
        """While it works."""
        return bool(row and row.revoked_at is None)

    @display(description="Token")
    def shown_token(self, token: ApiToken) -> str:
        """Enough to tell it apart."""
        return f"{token.prefix}…{token.last4}"

    @action(description="Revoke…", url_path="revoke", icon="key_off")
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then end it."""
        return self.with_reason(
            request,
            object_id,
            title="Revoke {}",
            effect="Programs that use this token are refused within seconds. This can't be undone.",
            done="{} no longer works.",
            verb=lambda token, reason: tokens.revoke_by_operator(operator_of(request), token, reason=reason),
        )


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what to whom, and why. Append-only, in the database too."""

    list_display: ClassVar = ["created_at", "actor_name", "action", "subject", "reason"]
    list_filter: ClassVar = ["action"]
    search_fields: ClassVar = ["subject", "actor_name", "reason"]
    hidden = ("actor",)
