"""The table of raters: each bad habit is flagged by its own reason, good raters by none."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from auralign.errors import ConfigError, DataError
from auralign.stats.raters.quality import QualityReport, QualityRules, rater_quality
from auralign.types import Judgement

Make = Callable[..., Judgement]
RULES = QualityRules(too_fast_s=2.0)


def study(pair: Make) -> list[Judgement]:
    """Nine honest raters, a guesser, a fast one who takes the first side, one who fails gold."""
    rng = np.random.default_rng(0)
    difficulty = rng.normal(0, 2, 80)
    judgements = []
    raters = [f"honest {k}" for k in range(9)] + ["guesser", "sider", "golden"]
    for rater in raters:
        for k in range(80):
            p = 0.5 if rater == "guesser" else special.expit(difficulty[k])
            first_wins, swapped = rng.random() < p, rng.random() < 0.5
            outcome = "A" if first_wins else "B"
            j = pair("a", "b", outcome, rater=rater, prompt=f"p{k:02}")
            j = j.swap() if swapped else j
            if rater == "sider":
                j = replace(j, outcome=type(j.outcome)("A"))
            judgements.append(replace(j, time_to_answer_s=1.0 if rater == "sider" else 6.0))
        for k in range(12):
            right = "bad" if rater == "golden" else "good"
            sides = ("good", "bad") if k % 2 else ("bad", "good")
            outcome = "A" if sides[0] == right else "B"
            gold = pair(*sides, outcome, rater=rater, prompt=f"gold {k}")
            context = {"check": "gold", "expected": "good"}
            judgements.append(replace(gold, context=context, time_to_answer_s=6.0))
    return judgements


@pytest.fixture(scope="module")
def report() -> Callable[[Make], QualityReport]:
    kept: list[QualityReport] = []

    def make(pair: Make) -> QualityReport:
        if not kept:
            kept.append(rater_quality(study(pair), "overall", rules=RULES))
        return kept[0]

    return make


def test_honest_raters_are_not_flagged_and_nobody_is_deleted(
    report: Callable[[Make], QualityReport], pair: Make
) -> None:
    rows = {row.rater: row for row in report(pair).raters}
    assert len(rows) == 12
    assert sum(row.n for row in rows.values()) == 12 * 92
    assert [name for name, row in rows.items() if row.flagged] == ["golden", "guesser", "sider"]


def test_each_bad_habit_has_its_own_reason(
    report: Callable[[Make], QualityReport], pair: Make
) -> None:
    rows = {row.rater: " | ".join(row.reasons) for row in report(pair).raters}
    assert "passed 0% of 12 gold trials" in rows["golden"]
    assert "|" not in rows["golden"]
    assert "agrees with the others' majority on" in rows["guesser"]
    assert "evidence of" in rows["guesser"]
    assert "answers came in less than 2 s" in rows["sider"]
    assert "for the first side" in rows["sider"]
    assert "answers in a row for one side" in rows["sider"]
    assert "Holm over the panel" in rows["sider"]


def test_colluders_are_named_to_each_other(pair: Make) -> None:
    judgements = study(pair)
    copied = {j.prompt_id: j for j in judgements if j.rater == "guesser" and not j.context}
    judgements += [replace(j, rater="shadow") for j in copied.values()]
    rows = {row.rater: row for row in rater_quality(judgements, "overall").raters}
    assert any("together with 'guesser'" in reason for reason in rows["shadow"].reasons)
    assert any("together with 'shadow'" in reason for reason in rows["guesser"].reasons)


def test_severity_is_reported_for_ratings_and_is_no_reason(rating: Make) -> None:
    rng = np.random.default_rng(1)
    quality, severity = rng.normal(3, 0.8, 25), np.array([0.0, 0.0, 1.5, -0.5])
    judgements = [
        rating(f"c{c:02}", float(quality[c] - severity[r] + rng.normal(0, 0.2)), rater=f"r{r}")
        for r in range(4)
        for c in range(25)
    ]
    found = rater_quality(judgements, "overall")
    severe = found.raters[2].severity
    assert severe is not None
    assert severe.low < 1.5 - 0.25 < severe.high
    assert not any(row.flagged for row in found.raters)
    assert found.raters[0].scale is not None


def test_what_could_not_be_looked_at_is_said(pair: Make, rating: Make) -> None:
    alone = rater_quality([pair("a", "b", "A")], "overall")
    text = " | ".join(alone.warnings)
    assert "raters could not be compared" in text
    assert "no too_fast_s was given" in text
    assert "no screening trials" in text
    row = alone.raters[0]
    assert (row.consensus, row.voter, row.severity, row.times) == (None, None, None, None)
    timed = rater_quality([pair("a", "b", "A")], "overall", rules=RULES)
    assert any("no judgement has a time_to_answer_s" in w for w in timed.warnings)
    lonely = rater_quality([rating("c", 3.0)], "overall")
    assert any("severity could not be estimated" in w for w in lonely.warnings)


def test_bad_input_is_refused(pair: Make) -> None:
    with pytest.raises(DataError, match="found none"):
        rater_quality([pair("a", "b", "A")], "noise")
    with pytest.raises(ConfigError, match="least_pass_rate must be a share"):
        rater_quality([pair("a", "b", "A")], "overall", rules=QualityRules(least_pass_rate=2))
    with pytest.raises(ConfigError, match="alpha must be"):
        rater_quality([pair("a", "b", "A")], "overall", rules=QualityRules(alpha=0))
