import numpy as np
import pytest

from auralign.errors import DataError
from auralign.stats.agreement import answer_table, krippendorff_alpha
from auralign.stats.agreement.stimuli import decisive_votes

NAN = np.nan


@pytest.fixture
def answers(pair):
    return [
        pair("a", "b", "A", rater="x"),
        pair("b", "a", "A", rater="y"),
        pair("a", "b", "TIE_BAD", rater="z"),
        pair("d", "c", "A", rater="x", prompt="p2"),
        pair("c", "d", "A", rater="x", prompt="p2"),
        pair("c", "d", "SKIP", rater="y", prompt="p2"),
        pair("a", "a", "A", rater="z", prompt="p3"),
    ]


def test_a_table_has_one_order_of_candidates_and_first_answers(answers):
    table = answer_table(answers, "overall")
    assert (table.raters, table.prompts) == (("x", "y", "z"), ("p1", "p2"))
    np.testing.assert_array_equal(table.values, [[1, 0], [0, NAN], [0.5, NAN]])


def test_decisive_votes_count_repeats_and_leave_ties_out(answers):
    votes = decisive_votes(answers, "overall")
    np.testing.assert_array_equal(votes.stimulus, [0, 0, 1])
    np.testing.assert_array_equal(votes.rater, [0, 1, 0])
    np.testing.assert_array_equal(votes.first, [1, 0, 1])
    np.testing.assert_array_equal(votes.total, [1, 1, 2])
    assert votes.raters == ("x", "y")


def test_swapping_presentation_changes_no_table(answers):
    swapped = [j.swap() for j in answers]
    straight = answer_table(answers, "overall")
    np.testing.assert_array_equal(answer_table(swapped, "overall").values, straight.values)


def test_answers_have_an_alpha(pair):
    judgements = [
        pair("a", "b", answer, rater=rater, prompt=prompt)
        for prompt, given in {"p1": "AA", "p2": "BB", "p3": "AB"}.items()
        for rater, answer in zip("xy", given, strict=True)
    ]
    values = answer_table(judgements, "overall").values
    # Observed disagreement 1/3; expected 2 * 3 * 3 / (6 * 5).
    alpha = krippendorff_alpha(values, level_of_measurement="nominal")
    assert alpha == pytest.approx(1 - (1 / 3) / (18 / 30))


def test_no_answer_is_refused(pair):
    with pytest.raises(DataError, match="all pair judgements on 'overall' are skips"):
        answer_table([pair("a", "b", "SKIP")], "overall")
