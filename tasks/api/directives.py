"""Instructions and stops: answered by the holder of the run, or withdrawn by their sender."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.views import View, shown
from tasks import clock
from tasks.api.inputs import description_of, input_of, summary_of
from tasks.api.tasks.messages import MESSAGE_EXAMPLE, MessageOutput
from tasks.api.threads import answer_with
from tasks.finding import find_message, find_task
from tasks.models import Run
from tasks.outlook import Reaches, outlook
from tasks.using.calling import use
from tasks.verbs.catalogue import ACK, WITHDRAW_MESSAGE

INSTRUCTION_EXAMPLE = {**MESSAGE_EXAMPLE, "kind": "instruction", "body": "Use the staging keys."}


class OutlookOutput(serializers.Serializer):
    """When the holder of the task's run would have an instruction or stop that is sent now."""

    reaches = serializers.ChoiceField([(each.value, each.value) for each in Reaches])
    words = serializers.CharField(help_text="One sentence for people.")
    kept_words = serializers.CharField(help_text="The same for an instruction with `keep`.")
    holder = serializers.CharField(allow_null=True)
    last_report_at = serializers.DateTimeField(allow_null=True, help_text="When the holder was last heard of.")
    is_stopping = serializers.BooleanField(help_text="The holder was told to stop already.")


class OutlookView(View):
    @operation(
        ACK.tag,
        "get_outlook",
        "What would become of an instruction",
        "To be looked at before one is sent. `reaches`: `at_once`, `next_report`, `on_the_page` (a person works on it),"
        " `next_run` (kept, or refused) or `never` (the task has ended).",
        responses=OutlookOutput,
    )
    def get(self, request: Request, ref: str) -> Response:
        task = find_task(self.actor, ref)
        run = Run.objects.active().filter(task=task).select_related("agent__user").first()
        now = clock.now()
        return Response(shown(OutlookOutput, outlook(task, run, now).as_of(now)))


class AckView(View):
    @operation(
        ACK.tag,
        "ack_message",
        summary_of(ACK, "an instruction"),
        description_of(ACK),
        request=input_of(ACK),
        responses=MessageOutput,
        request_example=ACK.example,
        response_example={**INSTRUCTION_EXAMPLE, "state": "declined", "note": "The exporter is not mine."},
    )
    def post(self, request: Request, id: str) -> Response:
        message = find_message(self.actor, int(id))
        answered = use(ACK, actor=self.actor, message=message, values=self.read(input_of(ACK)))
        return answer_with(answered)


class WithdrawView(View):
    @operation(
        WITHDRAW_MESSAGE.tag,
        "withdraw_message",
        summary_of(WITHDRAW_MESSAGE, "an instruction"),
        description_of(WITHDRAW_MESSAGE),
        request=None,
        responses=MessageOutput,
        response_example={**INSTRUCTION_EXAMPLE, "state": "withdrawn"},
    )
    def post(self, request: Request, id: str) -> Response:
        message = find_message(self.actor, int(id))
        withdrawn = use(WITHDRAW_MESSAGE, actor=self.actor, message=message, values={})
        return answer_with(withdrawn)
