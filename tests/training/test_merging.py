import pytest
import torch
from torch.testing import assert_close

from auralign.errors import ConfigError
from auralign.training.merging import merge_preferences, preference_vector


def weights(value: float, count: int = 0) -> dict[str, torch.Tensor]:
    return {"w": torch.tensor([value], dtype=torch.float64), "steps": torch.tensor(count)}


def test_merging_by_hand():
    # base 1, trained 1.3 against 0.8 at 0.5, 0.9 against 1.1 at 1: 1 + 0.25 - 0.2
    first = preference_vector(weights(1.3), weights(0.8))
    second = preference_vector(weights(0.9), weights(1.1))
    base = weights(1.0, count=4)
    merged = merge_preferences(base, [first, second], [0.5, 1.0])
    assert merged["w"].item() == pytest.approx(1.05)
    assert merged["steps"] == 4
    assert base["w"].item() == 1


def test_a_vector_added_and_taken_away_leaves_the_base():
    vector = preference_vector(weights(1.3), weights(0.8))
    merged = merge_preferences(weights(1.0), [vector, vector], [0.7, -0.7])
    assert_close(merged["w"], weights(1.0)["w"])
    assert torch.equal(merge_preferences(weights(1.0), [], [])["w"], weights(1.0)["w"])


def test_what_both_trainings_learnt_cancels():
    shared = 5.0
    alike = preference_vector(weights(1.3 + shared), weights(0.8 + shared))
    assert_close(alike["w"], preference_vector(weights(1.3), weights(0.8))["w"])


def test_weights_of_different_models_and_missing_strengths_are_refused():
    with pytest.raises(ConfigError, match="expected weights of one model, but v, w"):
        merge_preferences(weights(1.0), [{"v": torch.ones(1)}], [1.0])
    with pytest.raises(ConfigError, match="bias"):
        preference_vector(weights(1.0) | {"bias": torch.ones(1)}, weights(1.0))
    with pytest.raises(ConfigError, match="a strength for each of 1 vectors, got 2"):
        merge_preferences(weights(1.0), [weights(1.0)], [1.0, 2.0])
