"""Invitations in the admin: who was asked to join which project, and what came of it. Managers withdraw them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from tasks.actions.invitations import withdraw_invitation
from tasks.admin.columns import mark
from tasks.admin.filters import ProjectFilter
from tasks.admin.paginator import BoundedPaginator
from tasks.admin.scope import ReadOnlyAdmin
from tasks.errors import DomainError
from tasks.models import Invitation, InvitationEnd

TONES = {"pending": "warn", InvitationEnd.ACCEPTED.value: "good"}


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("pending", "Pending"), *((end.value, str(end.label)) for end in InvitationEnd)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "pending":
            return queryset.filter(ended_at__isnull=True)
        return queryset.filter(ended_as=self.value()) if self.value() in InvitationEnd.values else queryset


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    paginator = BoundedPaginator
    list_display = ("name", "project_", "role", "state_", "invited_by", "created_at", "ended_at")
    list_filter = (ProjectFilter, StateFilter)
    list_select_related = ("project", "invited_by")
    search_fields = ("name",)
    #: Without the account: whether there is one is for the invited person to show.
    fields = ("project", "name", "role", "invited_by", "created_at", "ended_at", "ended_as")
    ordering = ("-id",)
    actions: Any = ("withdraw",)

    @admin.display(description="Project", ordering="project__key")
    def project_(self, invitation: Invitation) -> str:
        return invitation.project.key

    @admin.display(description="State")
    def state_(self, invitation: Invitation) -> SafeString:
        return mark(invitation.state.capitalize(), TONES.get(invitation.state, "quiet"))

    @admin.action(description="Withdraw", permissions=["view"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        actor: Any = request.user
        done = []
        for invitation in queryset.select_related("project", "user__agent"):
            try:
                withdraw_invitation(actor=actor, invitation=invitation)
                done.append(invitation.name)
            except DomainError as error:
                self.message_user(request, error.detail, messages.WARNING)
        if done:
            self.message_user(request, f"Withdrew the invitation of {', '.join(done)}.", messages.SUCCESS)
