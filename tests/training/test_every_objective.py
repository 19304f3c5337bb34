"""Every objective that files of codes can feed is trained, in every way of batching."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from auralign.data.examples import TokenFeedback, TokenList, TokenPair
from auralign.errors import ConfigError, DataError
from auralign.losses import OBJECTIVES, Need
from auralign.policies.reference import precomputed_reference
from auralign.training import scoring
from auralign.training.gradients import BatchGradient
from auralign.training.processes import Processes
from auralign.training.scoring import Scorer
from auralign.training.settings import TrainerSettings
from auralign.training.tasks import COMPUTED, FIELDS, task_of
from auralign.training.trainer import train
from auralign.types import Prompt
from pretended_device import PRETENDED, pretending, without_float64

pytestmark = pytest.mark.slow

TRAINABLE = {n: o for n, o in OBJECTIVES.items() if o.needs <= COMPUTED | FIELDS.keys()}
OF_THE_MOMENT = {Need.OWN, Need.FROM_REFERENCE, Need.TOKEN_KL}
"""Needs for which the reference is asked about more than the clips of the file."""

NOT_OF_THE_PAIR = {"discopop", "mapl_inter", "mapl_intra", "rationale_orpo"}
"""At the reference DiscoPOP's loss falls with a smaller margin; the others learn first from
something else than the two clips of a pair."""


@pytest.fixture(scope="module")
def examples(prompts):
    """Of each kind a few that hold everything; the clips of an example differ in length."""
    rng = np.random.default_rng(3)

    def clip(n: int) -> np.ndarray:
        return rng.integers(4, size=(2, n))

    def weights(n: int) -> np.ndarray:
        return rng.uniform(0.5, 1.5, size=(2, n)).astype(np.float32)

    other = {prompts[0]: prompts[1], prompts[1]: prompts[0]}
    pairs, feedback, lists = [], [], []
    for i in range(6):
        prompt, (n, m) = prompts[i % 2], rng.integers(2, 8, size=2)
        lesser = TokenPair(prompt, clip(3), clip(3))
        pairs.append(
            TokenPair(
                prompt,
                clip(n),
                clip(m),
                p_chosen=0.8,
                chosen_score=1.0 + i / 10,
                rejected_score=i / 10,
                chosen_weights=weights(n),
                rejected_weights=weights(m),
                gold=clip(4),
                mismatched=other[prompt],
                lesser=lesser,
                rationale=(prompt, clip(2)),
                prompt_embedding=rng.normal(size=3).astype(np.float32),
            )
        )
        embedding = rng.normal(size=3).astype(np.float32)
        feedback.append(TokenFeedback(prompt, clip(n), i % 3 > 0, prompt_embedding=embedding))
        lists.append(TokenList(prompt, (clip(n), clip(m), clip(3)), (0.9, 0.6, 0.1)))
    return {"pairs": pairs, "unpaired": feedback, "lists": lists}


def gradient_of(policy, reference, name, examples, *, frames_per_pass=None, processes=None):
    """The loss and the gradient of one batch of all examples."""
    task = task_of(name, examples, {})
    for need in (Need.OWN, Need.FROM_REFERENCE):
        if need in task.needs:
            generator = torch.Generator().manual_seed(0)
            task.drawn[need] = reference.sample(task.prompts, 1, generator=generator).tokens
    score = Scorer(policy, reference, task.needs, frames_per_pass=frames_per_pass)
    gradient = BatchGradient(task, score, processes or Processes())
    policy.model.zero_grad()
    shown = gradient.backward(list(range(len(examples))))
    flat = [p.grad.flatten() for p in policy.model.parameters() if p.grad is not None]
    return shown, torch.cat(flat)


@pytest.mark.parametrize("frames_per_pass", [9, 10_000])
@pytest.mark.parametrize("name", TRAINABLE)
def test_a_batch_in_parts_has_the_loss_and_the_gradient_of_the_whole(
    make_policy, examples, name, frames_per_pass
):
    policy, reference = make_policy(seed=1), make_policy(seed=2).frozen_copy()
    data = examples[TRAINABLE[name].data]
    whole, wanted = gradient_of(policy, reference, name, data)
    parts, found = gradient_of(policy, reference, name, data, frames_per_pass=frames_per_pass)
    assert_close(found, wanted, atol=1e-5 * float(wanted.abs().max()), rtol=1e-3)
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-5, abs=1e-5)
    assert parts.keys() == whole.keys()


@pytest.mark.parametrize(
    ("name", "float64"),
    [*((name, True) for name in TRAINABLE), ("dpo", False), ("bco", False), ("irpo", False)],
)
def test_a_model_on_another_device_has_the_same_loss_and_gradient(
    make_policy, examples, name, float64, monkeypatch
):
    data = examples[TRAINABLE[name].data]
    here = make_policy(seed=1), make_policy(seed=2).frozen_copy()
    wanted_loss, wanted = gradient_of(*here, name, data)
    monkeypatch.setattr(scoring, "autocast", lambda model, dtype: nullcontext())
    if not float64:
        monkeypatch.setattr(scoring, "WITHOUT_FLOAT64", {PRETENDED.type})
    with pretending(), nullcontext() if float64 else without_float64():
        policy, reference = make_policy(seed=1), make_policy(seed=2).frozen_copy()
        for of in (policy, reference):
            of.model.to(PRETENDED)
        loss, found = gradient_of(policy, reference, name, data)
        assert found.device == PRETENDED
        found = found.cpu()
    assert_close(found, wanted, atol=1e-4 * float(wanted.abs().max()), rtol=1e-3)
    assert loss["loss"] == pytest.approx(wanted_loss["loss"], rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", TRAINABLE)
def test_training_lowers_the_loss_and_leaves_the_reference_alone(make_policy, examples, name):
    policy, reference = make_policy(seed=1), make_policy(seed=1).frozen_copy()
    before = reference.weights_hash()
    settings = TrainerSettings(
        objective=name, learning_rate=2e-3, n_epochs=8, batch_size=6, warmup_steps=0
    )
    data = examples[TRAINABLE[name].data]
    losses = []
    train(
        policy,
        reference,
        data,
        settings,
        log=lambda step, values: losses.append(values["loss"]) if "loss" in values else None,
    )
    assert losses[-1] < losses[0]
    assert reference.weights_hash() == before != policy.weights_hash()


@pytest.mark.parametrize("name", sorted(TRAINABLE.keys() - NOT_OF_THE_PAIR))
def test_a_step_raises_what_was_preferred_relative_to_what_was_not(make_policy, examples, name):
    policy, reference = make_policy(seed=1), make_policy(seed=1).frozen_copy()
    settings = TrainerSettings(objective=name, learning_rate=1e-3, batch_size=6, warmup_steps=0)
    data = examples[TRAINABLE[name].data]
    result = train(policy, reference, data, settings, held_out=data)
    found = result.evaluations[-1]
    assert found["held_out_chosen_drift"] > found["held_out_rejected_drift"]


@pytest.mark.parametrize(
    "name", sorted(n for n, o in TRAINABLE.items() if not o.needs & OF_THE_MOMENT)
)
def test_a_stored_reference_gives_the_gradient_of_the_living_one(
    make_policy, examples, name, tmp_path
):
    policy, reference = make_policy(seed=1), make_policy(seed=2).frozen_copy()
    data = examples[TRAINABLE[name].data]
    task = task_of(name, data, {})
    _, wanted = gradient_of(policy, reference, name, data)
    asked = [a for i in range(len(data)) for a in task.asked(i).values()]
    clips = [a.prompt for a in asked], [a.clip for a in asked]
    stored = precomputed_reference(reference, *clips, tmp_path / "reference.safetensors")
    _, found = gradient_of(policy, stored, name, data)
    assert_close(found, wanted, atol=1e-6, rtol=1e-5)


def test_the_objectives_that_files_cannot_feed_say_so(make_policy, examples):
    left_out = OBJECTIVES.keys() - TRAINABLE.keys()
    assert left_out == {"dove", "spo_degree", "tree_tpo"}
    for name in left_out:
        with pytest.raises(ConfigError, match=f"objective '{name}' needs .* cannot give: call it"):
            task_of(name, examples[OBJECTIVES[name].data], {})


@pytest.mark.parametrize("name", sorted(n for n, o in TRAINABLE.items() if o.needs & FIELDS.keys()))
def test_a_field_that_is_lacking_is_named(examples, prompts, name):
    bare = {
        "pairs": lambda e: TokenPair(e.prompt, e.chosen, e.rejected),
        "unpaired": lambda e: TokenFeedback(e.prompt, e.clip, e.desirable),
        "lists": lambda e: TokenList(e.prompt, e.clips),
    }
    data = examples[TRAINABLE[name].data]
    lacking = [*data[:2], bare[TRAINABLE[name].data](data[2])]
    with pytest.raises(DataError, match=r"example 2 \(prompt 'p0'\) has no '\w+', and objective"):
        task_of(name, lacking, {})


def test_examples_of_another_kind_are_an_error(examples):
    with pytest.raises(DataError, match=r"'kto' takes unpaired \(TokenFeedback\), got TokenPair"):
        task_of("kto", examples["pairs"], {})
    with pytest.raises(DataError, match=r"'dpo' takes pairs \(TokenPair\), got TokenList"):
        task_of("dpo", examples["lists"], {})


@pytest.mark.parametrize("weight", [float("nan"), -1.0, float("inf")])
def test_weights_that_make_no_sense_are_an_error(examples, weight):
    data = [replace(examples["pairs"][0], weight=weight), *examples["pairs"][1:]]
    with pytest.raises(DataError, match="weights of examples that are finite"):
        task_of("dpo", data, {})


@pytest.mark.parametrize(("liked", "sentence"), [(True, "all 6 are liked"), (False, "disliked:")])
def test_contrasts_of_thumbs_need_both_kinds_among_the_examples(examples, liked, sentence):
    data = [replace(feedback, desirable=liked) for feedback in examples["unpaired"]]
    with pytest.raises(DataError, match=sentence):
        task_of("rpo_unpaired", data, {})


def test_a_batch_of_thumbs_of_one_kind_leaves_contrasts_as_they_are(make_policy, examples):
    """Two of six are disliked, so that batches of one clip are all of one kind."""
    policy, reference = make_policy(seed=1), make_policy(seed=2).frozen_copy()
    settings = TrainerSettings(objective="rpo_unpaired", batch_size=1, learning_rate=1e-2)
    before = policy.weights_hash()
    result = train(policy, reference, examples["unpaired"], settings, keep="last")
    assert result.n_steps == 6
    assert policy.weights_hash() == before


@pytest.mark.parametrize("name", ["aot", "aot_unpaired", "rpo_unpaired"])
def test_an_objective_without_values_of_single_examples_takes_no_weights(
    make_policy, examples, name
):
    data = examples[TRAINABLE[name].data]
    data = [replace(data[0], weight=2.0), *data[1:]]
    with pytest.raises(ConfigError, match="takes no weights, but those of the examples differ"):
        train(make_policy(), make_policy().frozen_copy(), data, TrainerSettings(objective=name))


def test_without_another_prompt_there_is_no_mismatched_one(examples):
    pairs = [replace(p, prompt=Prompt("p", "one"), mismatched=None) for p in examples["pairs"]]
    with pytest.raises(DataError, match="all pairs have the prompt 'p': give 'mismatched' prompts"):
        task_of("re_align", pairs, {}).asked(0)
