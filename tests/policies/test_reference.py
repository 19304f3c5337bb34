import dataclasses

import numpy as np
import pytest
import torch

from auralign.errors import ConfigError, DataError
from auralign.policies.reference import precomputed_reference, reference_key
from auralign.types import Prompt, Split


@pytest.fixture
def policy(make_policy):
    return make_policy(codebook_size=4, max_frames=5).frozen_copy()


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    return [rng.integers(4, size=(2, n)) for n in (1, 5, 3)]


@pytest.fixture
def asked(prompts):
    return [prompts[0], prompts[1], prompts[1]]


class Refusing:
    """A reference that must not be asked again."""

    def __init__(self, policy) -> None:
        self.weights_hash = policy.weights_hash
        self.layout = policy.layout

    def token_logps(self, prompts, tokens):
        raise AssertionError("the reference was computed a second time")


def test_what_is_computed_is_bit_identical_to_the_policy(policy, asked, clips, tmp_path):
    reference = precomputed_reference(policy, asked, clips, tmp_path / "r.safetensors")
    wanted, scored = policy.token_logps(asked, clips)
    logps, mask = reference.token_logps(asked, clips)
    assert torch.equal(logps, wanted)
    assert torch.equal(mask, scored)
    assert not logps.requires_grad


def test_any_batch_of_the_clips_is_answered(policy, asked, clips, tmp_path):
    path = tmp_path / "r.safetensors"
    reference = precomputed_reference(policy, asked, clips, path)
    whole = reference.sequence_logps(asked, clips)
    np.testing.assert_allclose(whole, policy.sequence_logps(asked, clips), rtol=1e-6)
    for rows in ([2, 0], [1], [1, 1, 0]):
        part = [asked[i] for i in rows], [clips[i] for i in rows]
        np.testing.assert_array_equal(reference.sequence_logps(*part), whole[rows])
        logps, scored = reference.token_logps(*part)
        np.testing.assert_allclose(logps.double().sum((1, 2)), whole[rows])
        assert torch.equal(scored, policy.token_logps(*part)[1][..., : scored.shape[2]])


def test_a_stored_reference_is_read_and_not_computed_again(policy, asked, clips, tmp_path):
    path = tmp_path / "r.safetensors"
    first = precomputed_reference(policy, asked, clips, path)
    again = precomputed_reference(Refusing(policy), asked[::-1], clips[::-1], path)
    np.testing.assert_array_equal(
        again.sequence_logps(asked, clips), first.sequence_logps(asked, clips)
    )
    assert again.weights_hash() == first.weights_hash()


def test_the_key_covers_weights_clips_prompts_and_layout(make_policy, policy, asked, clips):
    other_clips = [*clips[:2], (clips[2] + 1) % 4]
    reshaped = [*clips[:2], clips[2].T]
    other_prompts = [*asked[:2], Prompt("p1", "one", "bob")]
    other_policy = make_policy(codebook_size=4, max_frames=5, seed=1)
    otherwise = Refusing(policy)
    otherwise.layout = "flat"
    keys = [
        reference_key(policy, asked, clips),
        reference_key(other_policy, asked, clips),
        reference_key(policy, asked, other_clips),
        reference_key(policy, asked, reshaped),
        reference_key(policy, asked[:2], clips[:2]),
        reference_key(policy, other_prompts, clips),
        reference_key(otherwise, asked, clips),
    ]
    assert len(set(keys)) == len(keys)


class Hearing:
    """A reference that reads something behind each prompt."""

    layout = "hearing"

    def __init__(self, **sounds: str) -> None:
        self.sounds = sounds

    def weights_hash(self) -> str:
        return "weights"

    def reading(self, prompt: Prompt) -> str:
        return self.sounds[prompt.id]


def test_the_key_covers_what_is_read_of_each_prompt(asked, clips):
    heard = [Hearing(p0=first, p1=second) for first, second in (("x", "y"), ("x", "x"), ("y", "x"))]
    assert len({reference_key(reference, asked, clips) for reference in heard}) == 3


def test_the_key_does_not_depend_on_order_or_split(policy, asked, clips):
    moved = [dataclasses.replace(p, split=Split.TEST) for p in asked]
    assert reference_key(policy, asked, clips) == reference_key(policy, moved[::-1], clips[::-1])


@pytest.mark.parametrize("content", [None, b"", b"not safetensors at all"])
def test_a_file_of_another_key_or_without_sense_is_replaced(
    make_policy, policy, asked, clips, tmp_path, content
):
    path = tmp_path / "r.safetensors"
    if content is None:
        other = make_policy(codebook_size=4, max_frames=5, seed=1).frozen_copy()
        precomputed_reference(other, asked, clips, path)
    else:
        path.write_bytes(content)
    reference = precomputed_reference(policy, asked, clips, path)
    np.testing.assert_allclose(
        reference.sequence_logps(asked, clips), policy.sequence_logps(asked, clips), rtol=1e-6
    )
    precomputed_reference(Refusing(policy), asked, clips, path)


def test_a_clip_that_was_not_computed_is_an_error(policy, asked, clips, tmp_path):
    path = tmp_path / "r.safetensors"
    reference = precomputed_reference(policy, asked[:1], clips[:1], path)
    with pytest.raises(DataError, match="got another one for prompt 'p1'"):
        reference.token_logps(asked[1:2], clips[1:2])


def test_a_reference_in_training_mode_is_an_error(policy, asked, clips, tmp_path):
    policy.model.blocks[1].train()
    with pytest.raises(ConfigError, match=r"evaluation mode, got \d+ parts .* such as 'blocks\.1"):
        precomputed_reference(policy, asked, clips, tmp_path / "r")
    assert not (tmp_path / "r").exists()
