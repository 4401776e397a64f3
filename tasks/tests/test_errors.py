"""The sentences that errors are made of."""

from tasks.errors import unknown_name


def test_unknown_name_close_to_a_known_one_is_told_which():
    sentence = unknown_name("pyhton", ["docs", "python"], what="skill")
    assert sentence == "There is no skill 'pyhton'; did you mean 'python'?"


def test_unknown_name_far_from_all_is_told_alone():
    assert unknown_name("zzz", ["docs"], what="skill") == "There is no skill 'zzz'."
