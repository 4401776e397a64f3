"""claim_next that waits: with an Idempotency-Key, and for a client that goes away."""

import pytest

from tasks.api.claims import CLIENT_GONE
from tasks.models import Run

pytestmark = pytest.mark.django_db


def test_claim_next_with_wait_and_key_answers_twice_the_same(cast, api, new_task):
    new_task()
    body = {"limit": 1, "wait_seconds": 1}
    first = api.atlas.post("/tasks/claim_next", body, idempotency_key="k")
    again = api.atlas.post("/tasks/claim_next", body, idempotency_key="k")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert Run.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_claim_next_of_a_client_that_went_away_claims_nothing(cast, api, new_task):
    asked = []

    def gone() -> bool:
        # The work comes while the call waits, and so does the news that nobody waits for it.
        if not asked:
            new_task()
        asked.append(True)
        return True

    answer = api.atlas.client.post(
        "/api/v1/tasks/claim_next", {"wait_seconds": 5}, format="json", **{CLIENT_GONE: gone}
    )
    assert asked
    assert answer.json()["runs"] == []
    assert not Run.objects.exists()
