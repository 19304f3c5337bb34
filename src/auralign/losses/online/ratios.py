"""How much likelier the policy finds what the behaviour policy has sampled."""

from __future__ import annotations

from torch import Tensor

from auralign.errors import DataError
from auralign.losses.kernels import capped_expm1
from auralign.losses.online.reductions import clip_mean
from auralign.losses.online.rollouts import Rollouts


def probability_ratio(log_ratio: Tensor) -> Tensor:
    """e^log_ratio, exactly 1 at 0; above 20 it goes on as a straight line and does not overflow."""
    return 1 + capped_expm1(log_ratio)


def clip_ratio(batch: Rollouts) -> Tensor:
    """`[clips]`, geometric mean of the ratios of a clip's codes (GSPO); 1 for an empty clip."""
    return probability_ratio(clip_mean(batch.log_ratios, batch))


def require_replayable(batch: Rollouts, *, tolerance: float = 1e-3) -> None:
    """DataError unless the policy gives fresh clips the probabilities that the sampler gave them.

    Call it before the first update on fresh clips, where every ratio has to be 1. Temperature,
    top-k, guidance or dropout that only one of the two knows, and storage in half precision, show
    here; with such a sampler, ratios mean nothing.

    tolerance   of log-probabilities, nats
    """
    furthest = float(batch.log_ratios.detach().abs().max())
    if not furthest <= tolerance:
        raise DataError(
            f"expected fresh clips to be as likely as when they were sampled, got a code that is "
            f"{furthest:.3g} nats off: score with the sampler's temperature and masks, without "
            "dropout, or take an objective without ratios"
        )
