import pytest
import torch
from torch.testing import assert_close

from auralign.errors import ConfigError
from auralign.training.reference_updates import updated_reference


def weights(value: float, count: int = 0) -> dict[str, torch.Tensor]:
    return {"w": torch.full((2, 2), value), "steps": torch.tensor(count)}


def test_a_soft_update_is_the_mixture_and_a_hard_one_the_policy():
    reference, policy = weights(1.0, 3), weights(2.0, 9)
    soft = updated_reference(reference, policy, step=512, alpha=0.6)
    assert_close(soft["w"], torch.full((2, 2), 1.6))
    assert soft["steps"] == 9
    hard = updated_reference(reference, policy, step=512, alpha=1)
    assert torch.equal(hard["w"], policy["w"])


def test_between_updates_the_reference_is_bit_identical():
    reference = weights(1.0)
    for step in (1, 511, 513):
        same = updated_reference(reference, weights(2.0), step=step)
        assert all(torch.equal(same[k], reference[k]) for k in reference)


def test_neither_model_is_changed_and_a_hard_update_does_not_share_memory():
    reference, policy = weights(1.0), weights(2.0)
    new = updated_reference(reference, policy, step=2, every=2, alpha=1)
    policy["w"] += 5
    assert (new["w"] == 2).all()
    assert (reference["w"] == 1).all()


def test_repeated_soft_updates_close_in_geometrically():
    reference, policy = weights(0.0), weights(1.0)
    for step in (1, 2, 3):
        reference = updated_reference(reference, policy, step=step, every=1, alpha=0.25)
    assert_close(reference["w"], torch.full((2, 2), 1 - 0.75**3))


@pytest.mark.parametrize("options", [{"alpha": 0}, {"alpha": 1.1}, {"every": 0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ConfigError, match=r"alpha in \(0, 1\] and every"):
        updated_reference(weights(1.0), weights(2.0), step=1, **options)


def test_the_weights_of_another_model_are_refused_by_name():
    with pytest.raises(ConfigError, match="extra"):
        updated_reference(weights(1.0), weights(2.0) | {"extra": torch.ones(1)}, step=1)
