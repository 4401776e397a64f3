"""Instructions and stops: answered by the holder of the run, or withdrawn by their sender."""

from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.views import View
from tasks.api.inputs import description_of, input_of, summary_of
from tasks.api.tasks.messages import MESSAGE_EXAMPLE, MessageOutput
from tasks.api.threads import answer_with, find_message
from tasks.using.calling import use
from tasks.verbs.catalogue import ACK, WITHDRAW_MESSAGE

INSTRUCTION_EXAMPLE = {**MESSAGE_EXAMPLE, "kind": "instruction", "body": "Use the staging keys."}


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
