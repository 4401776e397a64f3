"""Questions in the admin: a list that nobody edits, and a form that answers one by its verb."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tasks.admin.columns import when
from tasks.admin.filters import ProjectFilter
from tasks.admin.records import RecordAdmin, link_to_task
from tasks.admin.scope import managed_projects
from tasks.asked import addressee, name_of_user
from tasks.errors import DomainError, Invalid, NotFound
from tasks.finding import find_question
from tasks.models import Priority, Project, Question, QuestionState
from tasks.permissions import may_answer_question
from tasks.questions import shown_value
from tasks.questions.posted import OTHER, OTHER_CHOICE, VALUE
from tasks.using.posting import answer_posted
from tasks.verbs import catalogue


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state.value, str(state.label)) for state in QuestionState]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == QuestionState.OPEN:
            return queryset.filter(ended_at__isnull=True)
        return queryset.filter(state=self.value()) if self.value() else queryset


class QuestionProjectFilter(ProjectFilter):
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        return queryset.filter(project__in=managed_projects(request).filter(key=self.value()).values("pk"))


class AnswerForm(forms.Form):
    """The controls of one question, in the names that ``value_posted`` reads; the verb judges what comes."""

    def __init__(self, question: Question, data: Any = None) -> None:
        super().__init__(data)
        self.question = question
        for name, field in _controls(question).items():
            self.fields[name] = field
        self.fields["note"] = forms.CharField(
            required=False, label="Note", widget=forms.Textarea(attrs={"rows": 2}), help_text="What else to know."
        )


def _controls(question: Question) -> dict[str, forms.Field]:
    common: dict[str, Any] = {"required": False, "label": "Answer"}
    match question.kind:
        case "confirm":
            choices = [("yes", "Yes"), ("no", "No")]
            return {VALUE: forms.ChoiceField(choices=choices, widget=forms.RadioSelect, **common)}
        case "choice":
            return _of_choice(question, common)
        case "form":
            fields = (question.schema or {}).get("properties", {})
            return {f"{VALUE}.{name}": _of_field(name, field) for name, field in fields.items()}
    return {VALUE: forms.CharField(widget=forms.Textarea(attrs={"rows": 4}), **common)}


def _of_choice(question: Question, common: dict[str, Any]) -> dict[str, forms.Field]:
    choices = [(option["label"], _words_of(option)) for option in question.options]
    controls: dict[str, forms.Field] = {}
    if not question.strict:
        choices.append((OTHER_CHOICE, "Other…"))
        controls[OTHER] = forms.CharField(required=False, label="Other")
    if question.multi:
        widget: Any = forms.CheckboxSelectMultiple
        return {VALUE: forms.MultipleChoiceField(choices=choices, widget=widget, **common), **controls}
    return {VALUE: forms.ChoiceField(choices=choices, widget=forms.RadioSelect, **common), **controls}


def _words_of(option: dict[str, Any]) -> str:
    words = str(option["label"]) + (" (recommended)" if option.get("recommended") else "")
    return f"{words}: {option['description']}" if option.get("description") else words


def _of_field(name: str, field: dict[str, Any]) -> forms.Field:
    common: dict[str, Any] = {
        "required": False,
        "label": field.get("title", name),
        "help_text": field.get("description", ""),
        "initial": field.get("default"),
    }
    if field["type"] == "boolean":
        return forms.BooleanField(**common)
    if "enum" in field:
        return forms.ChoiceField(choices=[("", "–"), *((str(each), str(each)) for each in field["enum"])], **common)
    return forms.CharField(**common)


@admin.register(Question)
class QuestionAdmin(RecordAdmin):
    ordering = ("-id",)
    list_filter = (StateFilter, QuestionProjectFilter)
    list_display = ("task_", "prompt_", "agent", "to_", "urgency_", "state_", "asked", "answer")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        answerable = Question.objects.open().answerable_by(request.user).filter(pk=OuterRef("pk"))
        rows: Any = super().get_queryset(request)
        shown: QuerySet[Any] = rows.to_show().annotate(may_answer=Exists(answerable))
        return shown

    def of_task(self, queryset: QuerySet[Any], project: Project, number: int) -> QuerySet[Any]:
        return queryset.filter(task__project=project, task__number=number)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.answer_view)
        return [path("<int:pk>/answer/", view, name="tasks_question_answer"), *super().get_urls()]

    def answer_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The form of one question; posting it answers it."""
        actor: Any = request.user
        try:
            question = find_question(actor, pk)
        except NotFound:
            raise PermissionDenied from None
        if not self.has_view_permission(request, question):
            raise PermissionDenied
        form = AnswerForm(question, request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                answer_posted(question, actor=actor, data=request.POST)
            except Invalid as error:
                form.add_error(None, error.sentence)
            except DomainError as error:
                messages.error(request, error.sentence)
                return redirect("admin:tasks_question_changelist")
            else:
                messages.success(request, catalogue.ANSWER.did(f"the question about {question.task.ref}") + ".")
                return redirect("admin:tasks_question_changelist")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Question about {question.task.ref}",
            "question": question,
            "form": form,
            "submit": catalogue.ANSWER.sent_by,
            "may_answer": question.ended_at is None and may_answer_question(actor, question),
        }
        return TemplateResponse(request, "admin/tasks/question/answer.html", context)

    @admin.display(description="Task")
    def task_(self, question: Question) -> SafeString:
        return link_to_task(question.task)

    @admin.display(description="Question")
    def prompt_(self, question: Question) -> str:
        return shown_value(question.prompt, 160)

    @admin.display(description="Agent")
    def agent(self, question: Question) -> str:
        return question.run.agent.slug

    @admin.display(description="For")
    def to_(self, question: Question) -> str:
        return addressee(question) or "everyone"

    @admin.display(description="Urgency")
    def urgency_(self, question: Question) -> str:
        return str(Priority(question.urgency).label)

    @admin.display(description="State")
    def state_(self, question: Question) -> str:
        return question.get_state_display()

    @admin.display(description="Asked")
    def asked(self, question: Question) -> SafeString | str:
        return when(question.asked_at)

    @admin.display(description="Answer")
    def answer(self, question: Question) -> SafeString | str:
        if question.ended_at is None:
            if not question.may_answer:  # type: ignore[attr-defined]
                return "–"
            address = reverse("admin:tasks_question_answer", args=[question.pk])
            return format_html('<a class="button" href="{}">{}</a>', address, catalogue.ANSWER.label)
        who = name_of_user(question.answered_by)
        shown = shown_value(question.value, 120)
        return f"{who}: {shown}" if who and shown else shown or "–"
