"""What a task waits for, as a resource: added by POST, removed by DELETE."""

from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.views import View
from tasks.api.inputs import description_of, input_of, summary_of
from tasks.api.tasks.output import TaskOutput, task_response
from tasks.finding import find_task
from tasks.using.calling import use
from tasks.verbs import Verb
from tasks.verbs.catalogue import ADD_DEPENDENCIES, REMOVE_DEPENDENCIES


class DependenciesView(View):
    @operation(
        ADD_DEPENDENCIES.tag,
        "add_dependencies",
        summary_of(ADD_DEPENDENCIES),
        description_of(ADD_DEPENDENCIES),
        request=input_of(ADD_DEPENDENCIES),
        responses=TaskOutput,
        request_example=ADD_DEPENDENCIES.example,
    )
    def post(self, request: Request, ref: str) -> Response:
        return self._change(ref, ADD_DEPENDENCIES)

    @operation(
        REMOVE_DEPENDENCIES.tag,
        "remove_dependencies",
        summary_of(REMOVE_DEPENDENCIES),
        description_of(REMOVE_DEPENDENCIES),
        request=input_of(REMOVE_DEPENDENCIES),
        responses=TaskOutput,
        request_example=REMOVE_DEPENDENCIES.example,
    )
    def delete(self, request: Request, ref: str) -> Response:
        return self._change(ref, REMOVE_DEPENDENCIES)

    def _change(self, ref: str, verb: Verb) -> Response:
        task = find_task(self.actor, ref)
        return task_response(use(verb, actor=self.actor, task=task, values=self.read(input_of(verb))))
