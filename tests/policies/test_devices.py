import numpy as np
import pytest
import torch

from auralign.errors import ConfigError
from auralign.policies.devices import device_named
from auralign.policies.opening import open_policy
from pretended_device import PRETENDED, Pretended, pretending, require_same_elsewhere


@pytest.fixture
def gpus(monkeypatch):
    """A machine with so many GPUs, whatever this one has."""

    def have(n: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: n > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: n)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

    return have


@pytest.mark.parametrize(
    ("n", "name", "place", "expected"),
    [
        (0, "auto", 0, "cpu"),
        (0, "auto", 3, "cpu"),
        (2, "auto", 0, "cuda:0"),
        (2, "auto", 1, "cuda:1"),
        (2, "cuda", 1, "cuda:1"),
        (2, "cpu", 1, "cpu"),
    ],
)
def test_auto_is_a_gpu_of_its_own_for_each_process_where_there_are_gpus(
    gpus, n, name, place, expected
):
    gpus(n)
    assert device_named(name, place=place) == torch.device(expected)


@pytest.mark.parametrize(
    ("n", "name", "place", "sentence"),
    [
        (0, "cuda", 0, "number 1, but torch finds 0: start fewer processes, or choose 'cpu'"),
        (2, "auto", 2, "number 3, but torch finds 2"),
        (0, "mps", 0, "finds no 'mps' on this machine"),
        (0, "cudda", 0, r"got 'cudda' \(did you mean 'cuda'\?\)"),
    ],
)
def test_a_device_that_is_not_there_is_an_error(gpus, n, name, place, sentence):
    gpus(n)
    with pytest.raises(ConfigError, match=sentence):
        device_named(name, place=place)


def test_a_policy_is_opened_on_the_device_that_is_asked_for(make_policy, tmp_path):
    make_policy().save(tmp_path / "policy.safetensors")
    with pretending():
        policy = open_policy(tmp_path / "policy.safetensors", device=PRETENDED)
        assert policy.device == PRETENDED
        assert policy.frozen_copy().device == PRETENDED


def test_the_built_in_policy_scores_and_samples_on_another_device(make_policy, prompts):
    rng = np.random.default_rng(0)
    clips = [rng.integers(3, size=(2, n)) for n in (2, 5)]
    require_same_elsewhere(make_policy, prompts, clips)


def test_the_pretended_device_minds_what_a_gpu_minds():
    with pretending():
        there, here = torch.ones(3, device=PRETENDED), torch.ones(3)
        assert isinstance(there + 1, Pretended)
        assert torch.equal((there + torch.tensor(2.0)).cpu(), 3 * here)
        assert torch.equal(there[torch.tensor([0, 2])].cpu(), here[:2])
        with pytest.raises(RuntimeError, match="all tensors on one device"):
            there + here
        with pytest.raises(RuntimeError, match="all tensors on one device"):
            here[torch.tensor([0], device=PRETENDED)]
        with pytest.raises(RuntimeError, match="a generator of meta"):
            torch.multinomial(there, 1, generator=torch.Generator())
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()
