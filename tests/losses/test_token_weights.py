import math

import pytest
import torch
from torch.testing import assert_close

from auralign.losses import Clips, Need, Pairs
from auralign.losses.pairwise import dpo
from auralign.losses.token_weights import ld_dpo, segment_dpo, sparsepo, target_dpo

CHOSEN, REJECTED = (0.2, 0.1, 0.3), (0.2, -0.4, -0.6)


def row(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(1, 1, -1)


def clips(rho, m=(1.0, 1.0, 1.0), k=(0.0, 0.0, 0.0), kl=(0.0, 0.0, 0.0)) -> Clips:
    """One clip of one codebook by its log-ratios; the reference says 0 everywhere."""
    logps = row(*rho)
    zeros = torch.zeros_like(logps)
    return Clips(
        logps.sum((1, 2)),
        torch.tensor([len(rho)]),
        torch.zeros(1, dtype=torch.float64),
        token_logps=logps,
        reference_tokens=zeros,
        scored=torch.ones_like(logps, dtype=torch.bool),
        token_weights=row(*m),
        kl_weights=row(*k),
        token_kl=row(*kl),
    )


def value(loss) -> float:
    return loss.values.item()


def test_only_the_faulty_codes_of_the_rejected_clip_count():
    batch = Pairs(clips(CHOSEN), clips(REJECTED, m=(0, 1, 1)))
    assert value(target_dpo(batch)) == pytest.approx(0.616344, abs=1e-6)
    assert value(target_dpo(Pairs(clips(CHOSEN), clips(REJECTED)))) == pytest.approx(
        0.625595, abs=1e-6
    )
    empty = Pairs(clips(CHOSEN), clips(REJECTED, m=(0, 0, 0)))
    assert value(target_dpo(empty)) == pytest.approx(math.log1p(math.exp(-0.1 * 0.6)))


def test_the_supervised_term_counts_every_code_of_chosen_also_code_zero():
    batch = Pairs(clips((-0.2, -0.1, -0.3)), clips(REJECTED, m=(0, 1, 1)))
    assert target_dpo(batch, sft_weight=1.0).diagnostics["nll"].item() == pytest.approx(0.2)


def test_shared_codes_get_no_push():
    leaf = row(*REJECTED).requires_grad_()
    rejected = clips(REJECTED, m=(0, 1, 1))
    rejected = Clips(**{**vars(rejected), "token_logps": leaf, "logp": leaf.sum((1, 2))})
    target_dpo(Pairs(clips(CHOSEN), rejected)).values.sum().backward()
    assert leaf.grad[0, 0, 0] == 0
    assert (leaf.grad[0, 0, 1:] > 0).all()


def test_segments_of_both_clips_by_hand():
    batch = Pairs(clips(CHOSEN, m=(1, 0, 0.5)), clips(REJECTED, m=(0, 1, 1)))
    assert value(segment_dpo(batch)) == pytest.approx(math.log1p(math.exp(-0.1 * (0.35 + 1.0))))


def test_masks_of_reward_and_divergence_at_the_published_numbers():
    masks = {"m": (1, 0, 0.5), "k": (0.5, 0, 1)}
    batch = Pairs(
        clips(CHOSEN, **masks, kl=(0.1, 0.2, 0.05)), clips(REJECTED, **masks, kl=(0.3, 0.1, 0.2))
    )
    assert value(sparsepo(batch)) == pytest.approx(0.683197, abs=1e-6)


def test_masks_can_be_learned():
    m, k = row(1, 0, 0.5).requires_grad_(), row(0.5, 0, 1).requires_grad_()
    sides = [clips(rho, kl=(0.1, 0.2, 0.3)) for rho in (CHOSEN, REJECTED)]
    sides = [Clips(**{**vars(side), "token_weights": m, "kl_weights": k}) for side in sides]
    sparsepo(Pairs(*sides)).values.sum().backward()
    # Codes on which chosen and rejected differ most get the largest push; equal ones none.
    assert m.grad[0, 0, 0].item() == pytest.approx(0, abs=1e-12)
    assert m.grad[0, 0, 2] < m.grad[0, 0, 1] < 0


def test_codes_beyond_the_shorter_clip_count_less_under_policy_and_reference_alike():
    batch = Pairs(clips((0.5, -0.2, 0.4, 0.8)), clips((0.1, 0.3)))
    expected = (0.5 - 0.2) + 0.25 * (0.4 + 0.8) - (0.1 + 0.3)
    got = value(ld_dpo(batch, beta=1.0, alpha=0.25))
    assert got == pytest.approx(math.log1p(math.exp(-expected)))
    assert value(ld_dpo(batch, alpha=1.0)) == pytest.approx(value(dpo(batch)))


def test_the_head_of_a_clip_is_counted_frame_by_frame(random_pairs):
    """Chosen has 2 codebooks x 3 frames, rejected one of 2 frames: the head is 4 codes."""
    drawn = random_pairs({Need.REFERENCE, Need.TOKENS}, n=1)
    for fields, frames in zip(drawn.others, (3, 2), strict=True):
        fields["scored"] = (torch.arange(5) < frames).expand(1, 2, 5)
    batch = drawn.batch()
    chosen = batch.chosen.token_log_ratios
    expected = chosen[..., :2].sum() + 0.5 * chosen[..., 2].sum() - batch.rejected.log_ratio
    assert_close(ld_dpo(batch, beta=1.0).values, torch.log1p(torch.exp(-expected)))
