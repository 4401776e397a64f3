"""Webhooks and their deliveries in the admin, for managers of their project. Buttons call the verbs; state is shown."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from messaging.models import DeliveryState, Format, Webhook, WebhookDelivery
from messaging.models.webhooks import LONGEST_DESCRIPTION, LONGEST_URL
from messaging.webhooks import endpoints
from taskproject.admin import ReadOnly
from tasks.errors import DomainError
from tasks.events.kinds import CATALOGUE
from tasks.models import Project, Role
from tasks.permissions import memberships_of
from tasks.querysets import sees_all

#: Deliveries on the page of a webhook.
SHOWN_DELIVERIES = 20
MARKS = {DeliveryState.PENDING: "warn", DeliveryState.DELIVERED: "good", DeliveryState.FAILED: "bad"}

#: Where a request keeps what it has read.
_CACHE = "_projects_of_webhooks"


def managed_ids(request: HttpRequest) -> list[int] | None:
    """Ids of the projects whose webhooks the user may see; None for all. One query per request."""
    user: Any = request.user
    if sees_all(user):
        return None
    if not user.is_authenticated:
        return []
    if not hasattr(request, _CACHE):
        managing = memberships_of(user).filter(role=Role.MANAGER).order_by("project")
        setattr(request, _CACHE, list(managing.values_list("project", flat=True)))
    ids: list[int] = getattr(request, _CACHE)
    return ids


def managed_by(request: HttpRequest) -> QuerySet[Project]:
    """The same projects."""
    ids = managed_ids(request)
    return Project.objects.all() if ids is None else Project.objects.filter(pk__in=ids)


def manages(request: HttpRequest) -> bool:
    """Whether the user may see the webhooks of any project; a superuser may, even if there is none yet."""
    return managed_ids(request) != []


def mark(text: str, kind: str) -> SafeString:
    return format_html('<span class="tp-mark tp-{}">{}</span>', kind, text)


class WebhookForm(forms.Form):
    """The fields of a webhook that managers write; the verb has the last word on each."""

    project = forms.ModelChoiceField(queryset=Project.objects.none())
    url = forms.CharField(label="URL", max_length=LONGEST_URL, widget=forms.URLInput(attrs={"class": "vTextField"}))
    kinds = forms.MultipleChoiceField(
        label="Kinds of events",
        required=False,
        choices=[(name, name) for name in sorted(CATALOGUE)],
        widget=forms.SelectMultiple(attrs={"size": 12}),
        help_text="Choose none to send all.",
    )
    format = forms.ChoiceField(choices=Format.choices)
    description = forms.CharField(
        max_length=LONGEST_DESCRIPTION, required=False, widget=forms.TextInput(attrs={"class": "vTextField"})
    )

    def __init__(self, *args: Any, projects: QuerySet[Project] | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if projects is None:
            del self.fields["project"]
        else:
            self.fields["project"].queryset = projects  # type: ignore[attr-defined]

    def refuse(self, error: DomainError) -> None:
        """Show why a verb refused, at the field that it names."""
        for name, texts in (error.data.get("errors") or {None: [error.detail]}).items():
            self.add_error(name if name in self.fields else None, list(texts))


class OfProjects(ReadOnly, admin.ModelAdmin):
    """Rows of the projects that the user manages; nothing is written but by our own views."""

    project_path = "project"
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 100
    list_max_show_all = 0
    actions: Any = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows, ids = super().get_queryset(request), managed_ids(request)
        # A list, not a subquery: given the few ids, the planner walks the index in order.
        return rows if ids is None else rows.filter(**{f"{self.project_path}__in": ids})

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return manages(request)

    def history_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        raise Http404

    def found(self, request: HttpRequest, pk: int | str) -> Any:
        """The row with this id. Raises ``Http404``."""
        text = str(pk)
        row = self.get_queryset(request).filter(pk=int(text)).first() if text.isdecimal() and len(text) < 19 else None
        if row is None:
            raise Http404
        return row

    def page(self, request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media, "title": title}
        return TemplateResponse(request, f"admin/messaging/{template}.html", {**shared, **context})

    def try_verb(self, request: HttpRequest, verb: Callable[[], Any], done: str) -> None:
        """Use a verb and say what came of it."""
        try:
            verb()
        except DomainError as error:
            self.message_user(request, error.detail, messages.ERROR)
        else:
            self.message_user(request, done, messages.SUCCESS)


class WebhookProjectFilter(admin.SimpleListFilter):
    title = "project"
    parameter_name = "project"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        having = managed_by(request).filter(webhooks__isnull=False).distinct().order_by("key")
        return [(key, key) for key in having.values_list("key", flat=True)[:200]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(project__key=self.value()) if self.value() else queryset


@admin.register(Webhook)
class WebhookAdmin(OfProjects):
    list_display = ("number", "project_", "url", "state_", "format", "description", "created_by")
    list_filter = (WebhookProjectFilter,)
    list_select_related = ("project", "created_by")
    ordering = ("-pk",)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "project"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return manages(request)

    @admin.display(description="Number", ordering="pk")
    def number(self, webhook: Webhook) -> int:
        return webhook.pk

    @admin.display(description="Project")
    def project_(self, webhook: Webhook) -> str:
        return webhook.project.key

    @admin.display(description="State")
    def state_(self, webhook: Webhook) -> SafeString:
        return mark(*state_of(webhook))

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:id>/edit/", wrap(self.edit_view), name="messaging_webhook_edit"),
            path("<int:id>/rotate/", wrap(self.rotate_view), name="messaging_webhook_rotate"),
            path("<int:id>/<slug:verb>/do/", wrap(self.verb_view), name="messaging_webhook_verb"),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The form of a new webhook; after a POST its secret, in this response and nowhere else."""
        projects = managed_by(request).order_by("key")
        if not projects.exists():
            raise PermissionDenied
        initial = {"project": projects.filter(key=request.GET.get("project", "")).first()}
        form = WebhookForm(request.POST or None, projects=projects, initial=initial)
        if request.method == "POST" and form.is_valid():
            actor: Any = request.user
            try:
                webhook, secret = endpoints.create_webhook(actor=actor, **form.cleaned_data)
            except DomainError as error:
                form.refuse(error)
            else:
                return self._secret_page(request, webhook, secret)
        return self.page(request, "webhook/form", "Add webhook", form=form, button="Register", webhook=None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        webhook = self.found(request, object_id)
        deliveries = webhook.deliveries.select_related("event").order_by("-pk")[:SHOWN_DELIVERIES]
        label, tone = state_of(webhook)
        return self.page(
            request,
            "webhook/page",
            f"Webhook {webhook.pk} of {webhook.project.key}",
            webhook=webhook,
            deliveries=[(delivery, MARKS[DeliveryState(delivery.state)]) for delivery in deliveries],
            keys=webhook.keys.order_by("-pk"),
            label=label,
            tone=tone,
        )

    def edit_view(self, request: HttpRequest, id: int) -> HttpResponse:
        webhook = self.found(request, id)
        initial = {name: getattr(webhook, name) for name in endpoints.EDITABLE}
        form = WebhookForm(request.POST or None, projects=None, initial=initial)
        if request.method == "POST" and form.is_valid():
            actor: Any = request.user
            try:
                endpoints.edit_webhook(actor=actor, webhook=webhook, changes=form.cleaned_data)
            except DomainError as error:
                form.refuse(error)
            else:
                self.message_user(request, f"Changed webhook {webhook.pk}.", messages.SUCCESS)
                return self._to(webhook)
        return self.page(
            request, "webhook/form", f"Change webhook {webhook.pk}", form=form, button="Save", webhook=webhook
        )

    def rotate_view(self, request: HttpRequest, id: int) -> HttpResponse:
        webhook = self.found(request, id)
        if request.method != "POST":
            return self._to(webhook)
        actor: Any = request.user
        old = 0 if request.POST.get("old") == "ends" else endpoints.OLD_KEY_SECONDS
        try:
            webhook, secret = endpoints.rotate_key(actor=actor, webhook=webhook, old_key_seconds=old)
        except DomainError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return self._to(webhook)
        return self._secret_page(request, webhook, secret)

    def verb_view(self, request: HttpRequest, id: int, verb: str) -> HttpResponse:
        """The buttons: ``test``, ``enable``, ``disable``, ``delete``."""
        webhook = self.found(request, id)
        if request.method != "POST":
            return self._to(webhook)
        about: Any = {"actor": request.user, "webhook": webhook}
        number = f"webhook {webhook.pk}"
        match verb:
            case "test":
                self.try_verb(request, lambda: endpoints.send_test(**about), f"A test is on its way to {number}.")
            case "enable" | "disable":
                changes = {"enabled": verb == "enable"}
                done = f"{verb.capitalize()}d {number}."
                self.try_verb(request, lambda: endpoints.edit_webhook(**about, changes=changes), done)
            case "delete":
                self.try_verb(request, lambda: endpoints.delete_webhook(**about), f"Deleted {number}.")
                return HttpResponseRedirect(reverse("admin:messaging_webhook_changelist"))
            case _:
                raise Http404
        return self._to(webhook)

    def _to(self, webhook: Webhook) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:messaging_webhook_change", args=[webhook.pk]))

    def _secret_page(self, request: HttpRequest, webhook: Webhook, secret: str) -> HttpResponse:
        response = self.page(
            request, "webhook/secret", f"Secret of webhook {webhook.pk}", webhook=webhook, secret=secret
        )
        response["Cache-Control"] = "no-store"
        return response


def state_of(webhook: Webhook) -> tuple[str, str]:
    """The state of a webhook in words, and the kind of its mark."""
    if not webhook.is_enabled:
        return f"Disabled: {webhook.get_disabled_because_display()}", "bad"
    return ("Failing", "warn") if webhook.failing_since else ("Enabled", "good")


class DeliveryStateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state.value, str(state.label)) for state in DeliveryState]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() in DeliveryState.values else queryset


class DeliveryWebhookFilter(admin.SimpleListFilter):
    title = "webhook"
    parameter_name = "webhook"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = Webhook.objects.filter(project__in=managed_by(request)).select_related("project").order_by("-pk")[:100]
        return [(str(webhook.pk), f"{webhook.pk} ({webhook.project.key})") for webhook in rows]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        if not value:
            return queryset
        return queryset.filter(webhook=int(value)) if value.isdecimal() and len(value) < 19 else queryset.none()


@admin.register(WebhookDelivery)
class DeliveryAdmin(OfProjects):
    """The log of what was sent."""

    project_path = "webhook__project"
    list_display = ("message_id", "webhook_", "kind", "task", "state_", "created_at", "last", "next_")
    list_filter = (DeliveryStateFilter, DeliveryWebhookFilter)
    ordering = ("-pk",)
    sortable_by = ()
    actions = ("redeliver",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("webhook__project", "event")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in ("state", "webhook")

    @admin.display(description="Webhook")
    def webhook_(self, delivery: WebhookDelivery) -> SafeString:
        url = reverse("admin:messaging_webhook_change", args=[delivery.webhook_id])
        return format_html('<a href="{}">{} of {}</a>', url, delivery.webhook_id, delivery.webhook.project.key)

    @admin.display(description="Task")
    def task(self, delivery: WebhookDelivery) -> str:
        return (delivery.event.task_ref if delivery.event else "") or "–"

    @admin.display(description="State")
    def state_(self, delivery: WebhookDelivery) -> SafeString:
        return mark(delivery.get_state_display(), MARKS[DeliveryState(delivery.state)])

    @admin.display(description="Last answer")
    def last(self, delivery: WebhookDelivery) -> str:
        return said_last(delivery)

    @admin.display(description="Next attempt")
    def next_(self, delivery: WebhookDelivery) -> Any:
        return delivery.due_at if delivery.state == DeliveryState.PENDING else None

    @admin.action(description="Send again", permissions=["view"])
    def redeliver(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        actor: Any = request.user
        done, refused = 0, ""
        for delivery in queryset.order_by("pk"):
            try:
                endpoints.redeliver(actor=actor, delivery=delivery)
                done += 1
            except DomainError as error:
                refused = error.detail
        if done:
            self.message_user(request, f"{done} are sent again.", messages.SUCCESS)
        if refused:
            self.message_user(request, refused, messages.WARNING)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        again = path("<int:id>/redeliver/", wrap(self.redeliver_view), name="messaging_webhookdelivery_redeliver")
        return [again, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        delivery = self.found(request, object_id)
        return self.page(
            request,
            "delivery/page",
            f"Delivery {delivery.pk}",
            delivery=delivery,
            tone=MARKS[DeliveryState(delivery.state)],
            attempts=list(reversed(delivery.attempts)),
        )

    def redeliver_view(self, request: HttpRequest, id: int) -> HttpResponse:
        delivery = self.found(request, id)
        if request.method == "POST":
            actor: Any = request.user
            self.try_verb(request, lambda: endpoints.redeliver(actor=actor, delivery=delivery), "It is sent again.")
        return HttpResponseRedirect(reverse("admin:messaging_webhookdelivery_change", args=[delivery.pk]))


def said_last(delivery: WebhookDelivery) -> str:
    """What came of the last attempt, in a word or a sentence."""
    if not delivery.attempts:
        return "–"
    attempt = delivery.attempts[-1]
    return str(attempt["status"]) if attempt["status"] is not None else attempt["error"]
