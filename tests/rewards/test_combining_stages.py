import subprocess
import sys
import textwrap

import numpy as np
import pytest

from auralign.data.config import StrictModel, load_yaml, parse
from auralign.errors import ConfigError
from auralign.rewards.combining import (
    BoundedAscent,
    Constraint,
    HarmonicMean,
    Lagrangian,
    LogSigmoid,
    MaxMin,
    ProjectedAscent,
    Reference,
    RewardStage,
    Scale,
    Utility,
    Weighted,
    combination_of,
    stages,
)

NAMES = ("task_achievement", "content_preservation", "production_quality", "overall")
SCALES = {
    name: Scale(mean=0.5 * i, sd=1.0 + i, reference=1.0, n_clips=9) for i, name in enumerate(NAMES)
}
VALUES = np.random.default_rng(0).uniform(0.2, 0.9, (7, 4))


class Recipe(StrictModel):
    stages: tuple[RewardStage, ...]


def read(text: str) -> list[RewardStage]:
    document = load_yaml("stages:\n" + text, "recipe.yaml")
    return list(parse(Recipe, document, "recipe.yaml").stages)


def one(text: str) -> RewardStage:
    (stage,) = read(f"- {{name: s, n_updates: 5, {text}}}")
    return stage


def test_the_stages_of_the_docstring_are_read():
    example = stages.__doc__.split("\n\n", 1)[1]
    task, sound, liked = read(textwrap.dedent(example))
    assert [s.n_updates for s in (task, sound, liked)] == [200, 300, 300]
    assert task.weights == {"task_achievement": 1.0}
    assert sound.maximise == "task_achievement"
    assert sound.constraints[1] == Constraint(reward="production_quality", at_least=3.2)
    assert liked.multipliers == ProjectedAscent()
    found = [combination_of(s, NAMES, SCALES) for s in (task, sound, liked)]
    assert [type(c) for c in found] == [Weighted, Lagrangian, Lagrangian]


CASES = {
    "combine: weighted, weights: {overall: 2, task_achievement: 1}": lambda: Weighted(
        NAMES, {"overall": 2.0, "task_achievement": 1.0}, SCALES
    ),
    "combine: log_sigmoid, references: {overall: {}, task_achievement: {value: 0.5, spread: 2}}": (
        lambda: LogSigmoid(
            NAMES,
            {"overall": Reference(), "task_achievement": Reference(value=0.5, spread=2.0)},
            SCALES,
        )
    ),
    "combine: harmonic_mean, utilities: {overall: {shape: tanh, best: 1, scale: 2, weight: 3}, "
    "task_achievement: {shape: linear, best: 1, scale: 1}}": lambda: HarmonicMean(
        NAMES,
        {
            "overall": Utility(shape="tanh", best=1.0, scale=2.0, weight=3.0),
            "task_achievement": Utility(shape="linear", best=1.0, scale=1.0),
        },
    ),
    "combine: lagrangian, maximise: overall, multipliers: {rule: bounded, learning_rate: 0.3}, "
    "constraints: [{reward: task_achievement, at_most: 0.4}]": lambda: Lagrangian(
        NAMES,
        "overall",
        [Constraint(reward="task_achievement", at_most=0.4)],
        SCALES,
        ascent=BoundedAscent(learning_rate=0.3),
    ),
    "combine: max_min, groups: [overall, task_achievement]": lambda: MaxMin(
        NAMES, ("overall", "task_achievement"), SCALES
    ),
}


@pytest.mark.parametrize(("text", "said"), CASES.items(), ids=list(CASES))
def test_a_stage_combines_as_it_says(text, said):
    found, expected = combination_of(one(text), NAMES, SCALES), said()
    for combination in (found, expected):
        combination.observe(VALUES)
    np.testing.assert_array_equal(found(VALUES), expected(VALUES))
    assert found.shown() == expected.shown()
    assert not np.isnan(found(VALUES)).any()


@pytest.mark.parametrize("text", CASES)
def test_a_stage_written_out_is_read_as_the_same(text):
    stage = one(text)
    assert parse(Recipe, {"stages": [stage.model_dump(mode="json")]}, "again").stages == (stage,)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("combine: weigted, weights: {overall: 1}", r"\(did you mean 'weighted'\?\)"),
        (
            "combine: weighted, wieghts: {overall: 1}",
            r"wieghts: unknown key \(did you mean 'weights'",
        ),
        ("combine: weighted, weights: {}", "at least 1 item"),
        ("combine: weighted, weights: {overall: -1}", "a value greater than 0, got -1"),
        ("combine: weighted, maximise: overall, weights: {overall: 1}", "maximise: unknown key"),
        ("combine: max_min, groups: []", "at least 1 item"),
        (
            "combine: lagrangian, maximise: overall, constraints: [{reward: overall}]",
            "exactly one of at_least, at_most, equals",
        ),
        (
            "combine: lagrangian, maximise: overall, multipliers: {rule: bounded, damping: 1}, "
            "constraints: [{reward: overall, at_least: 1}]",
            "multipliers.damping: unknown key",
        ),
    ],
)
def test_a_stage_that_does_not_fit_is_an_error_at_its_key(text, match):
    with pytest.raises(ConfigError, match=f"recipe.yaml: stages.0.*{match}"):
        one(text)


@pytest.mark.parametrize(
    "text",
    [
        "combine: weighted, weights: {ovrall: 1}",
        "combine: log_sigmoid, references: {ovrall: {value: 1}}",
        "combine: harmonic_mean, utilities: {ovrall: {shape: linear, best: 1, scale: 1}}",
        "combine: lagrangian, maximise: ovrall, constraints: [{reward: overall, at_least: 1}]",
        "combine: lagrangian, maximise: overall, constraints: [{reward: ovrall, at_least: 1}]",
        "combine: max_min, groups: [ovrall]",
    ],
)
def test_an_unknown_reward_is_an_error_that_names_the_stage(text):
    with pytest.raises(
        ConfigError, match=r"stage 's': expected .* 'ovrall' \(did you mean 'overall'"
    ):
        combination_of(one(text), NAMES, SCALES)


def test_a_stage_without_the_scale_that_it_needs_is_an_error_that_names_it():
    with pytest.raises(ConfigError, match="stage 's': expected a scale of the reward 'overall'"):
        combination_of(one("combine: max_min, groups: [overall]"), NAMES, {})


def test_combining_rewards_loads_no_torch():
    script = "import sys, auralign.rewards.combining\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
