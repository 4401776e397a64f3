"""The family of errors: sentences that say what is wrong and what to do, and the codes of the API."""

import pytest

from taskproject.errors import DomainError, Invalid, NotFound, codes, unknown_name


def test_unknown_name_close_to_a_known_one_suggests_it():
    sentence = unknown_name("pyhton", ["docs", "python"], what="skill")
    assert sentence == "There is no skill 'pyhton'; did you mean 'python'?"


def test_unknown_name_far_from_all_suggests_none():
    assert unknown_name("zzz", ["docs"], what="skill") == "There is no skill 'zzz'."


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (DomainError("OPS-1 waits for OPS-2.", "Take another task."), "OPS-1 waits for OPS-2; take another task."),
        (DomainError("OPS-1 waits for OPS-2."), "OPS-1 waits for OPS-2."),
        (Invalid({"name": ["It is taken.", "It is long."], "key": "No."}), "name: It is taken."),
    ],
)
def test_detail_says_the_fact_and_then_the_advice(error, detail):
    assert (error.detail, str(error)) == (detail, detail)


def test_input_that_breaks_several_rules_says_each():
    error = Invalid({"name": ["It is taken.", "It is long."], "place": "There is no such place."})
    assert error.sentences == ["name: It is taken.", "name: It is long.", "place: There is no such place."]
    assert error.in_full == "It is taken. It is long. There is no such place."
    assert NotFound("There is no such view.", "Look again.").in_full == "There is no such view; look again."


def test_codes_list_the_errors_of_all_apps_with_their_status():
    listed = codes()
    assert listed["validation_error"] == (400, "The input is not valid")
    assert listed["version_mismatch"][0] == 412
    assert listed["lease_lost"][0] == 409


def test_codes_mean_the_same_in_every_error_that_has_them():
    kinds = [DomainError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    listed = codes()
    assert len(kinds) > len(listed)
    assert {kind for kind in kinds if listed[kind.code] != (kind.status, kind.title)} == set()
