"""Labels for models of labels: codes, and what pair answers become."""

from collections.abc import Callable

import numpy as np
import pytest

from auralign.errors import DataError
from auralign.stats.raters.dawid_skene import fit_dawid_skene
from auralign.stats.raters.labels import label_codes, pair_labels
from auralign.types import Judgement

Make = Callable[..., Judgement]


def test_names_are_sorted_and_integers_stay_in_numeric_order() -> None:
    (tasks, t), (raters, _), (classes, c) = label_codes(
        np.array([10, 9, 10]), list("bab"), list("xyx")
    )
    assert (tasks, t.tolist()) == (("9", "10"), [1, 0, 1])
    assert raters == ("a", "b")
    assert (classes, c.tolist()) == (("x", "y"), [0, 1, 0])


def test_a_pair_is_the_same_task_whichever_clip_comes_first(pair: Make) -> None:
    judgements = [
        pair("x", "y", "A", rater="ann"),
        pair("y", "x", "B", rater="bob"),
        pair("x", "y", "TIE_BAD", rater="cat"),
        pair("x", "y", "SKIP", rater="dan"),
    ]
    tasks, raters, labels = pair_labels(judgements, "overall")
    assert len(set(tasks)) == 1
    assert (raters, labels) == (["ann", "bob", "cat"], ["first", "first", "tie"])
    with pytest.raises(DataError, match="are skips"):
        pair_labels(judgements[-1:], "overall")


def test_pair_answers_can_be_given_to_the_models_of_labels(pair: Make) -> None:
    judgements = [
        pair("x", "y", outcome, rater=rater, prompt=f"p{k}")
        for k, outcomes in enumerate(["AAB", "BBB", "AAA", "BBA"])
        for rater, outcome in zip("abc", outcomes, strict=True)
    ]
    fit = fit_dawid_skene(*pair_labels(judgements, "overall"))
    assert fit.label == ("first", "second", "first", "second")
