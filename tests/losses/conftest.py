"""Batches by hand, and random ones that hold what an objective asks for and nothing else."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from auralign.losses import Clips, Need, Pairs, sum_scored

CODEBOOKS, FRAMES = 2, 5


def double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def clips(logp: float | tuple[float, ...], n_codes: int = 1, reference: float = 0.0) -> Clips:
    values = double(*(logp if isinstance(logp, tuple) else (logp,)))
    return Clips(values, torch.full(values.shape, n_codes), torch.full_like(values, reference))


@pytest.fixture(scope="session")
def pairs() -> Callable[..., Pairs]:
    """`pairs(rho_w, rho_l)`: log-ratios, one or several; fields that are numbers become `[1]`."""

    def build(chosen, rejected, *, n=(1, 1), reference=(0.0, 0.0), **fields) -> Pairs:
        given = {k: double(v) if isinstance(v, float) else v for k, v in fields.items()}
        return Pairs(
            clips(chosen, n[0], reference[0]), clips(rejected, n[1], reference[1]), **given
        )

    return build


@dataclass
class RandomPairs:
    """Pairs whose log-probabilities stem from two leaves, `[pairs, codebook, time]` each.

    `at_reference` gives policy and reference the same log-probabilities.
    """

    needs: Collection[Need]
    n: int = 3
    seed: int = 0
    dtype: torch.dtype = torch.float64
    at_reference: bool = False

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(self.seed)
        self.leaves = [-self.uniform(self.n, CODEBOOKS, FRAMES) for _ in range(2)]
        self.others = [self.draw_fields() for _ in range(2)]
        self.extra = self.draw_extra()

    def uniform(self, *shape: int) -> Tensor:
        drawn = torch.rand(shape, generator=self.generator, dtype=torch.float64)
        return (0.1 + 0.8 * drawn).to(self.dtype)

    def draw_fields(self) -> dict[str, Tensor]:
        """All fields of clips but the policy's log-probabilities, needed or not."""
        shape = self.n, CODEBOOKS, FRAMES
        length = torch.randint(1, FRAMES + 1, (self.n, 1, 1), generator=self.generator)
        return {
            "scored": (torch.arange(FRAMES) < length).expand(shape),
            "reference_tokens": -self.uniform(*shape),
            "token_weights": self.uniform(*shape),
            "kl_weights": self.uniform(*shape),
            "token_kl": self.uniform(*shape),
            "log_collision": -self.uniform(*shape),
            "condition_logp": -self.uniform(self.n),
            "reference_condition_logp": -self.uniform(self.n),
        }

    def draw_extra(self) -> dict[str, tuple[Need, object]]:
        """Fields of pairs, with the need that each belongs to."""
        rejected_score = self.uniform(self.n)
        return {
            "p_chosen": (Need.P_CHOSEN, 0.5 + self.uniform(self.n) / 2),
            "chosen_score": (Need.SCORES, rejected_score + self.uniform(self.n)),
            "rejected_score": (Need.SCORES, rejected_score),
            "prompt_embedding": (Need.EMBEDDING, self.uniform(self.n, 4)),
            "score_frequency": (Need.RARITY, self.uniform(self.n)),
            "rationale_logp": (Need.RATIONALE, -self.uniform(self.n)),
            "degree_logits": (Need.DEGREE, self.uniform(self.n, 3)),
            "degree": (Need.DEGREE, torch.arange(self.n) % 3),
            "gold": (Need.GOLD, self.further_clips()),
            "mismatched": (Need.MISMATCHED, self.further_clips()),
            "own": (Need.OWN, self.further_clips()),
            "from_reference": (Need.FROM_REFERENCE, self.further_clips()),
            "lesser": (Need.LESSER, Pairs(self.further_clips(), self.further_clips())),
        }

    def further_clips(self) -> Clips:
        logp = -self.uniform(self.n)
        reference = logp if self.at_reference else -self.uniform(self.n)
        return Clips(logp, torch.full((self.n,), 3), reference)

    def side(self, which: int) -> Clips:
        leaf, fields = self.leaves[which], self.others[which]
        scored = fields["scored"]
        reference = leaf.detach() if self.at_reference else fields["reference_tokens"]
        asked = {
            Need.TOKENS: {"token_logps": leaf, "scored": scored},
            Need.TOKEN_WEIGHTS: {k: fields[k] for k in ("token_weights", "kl_weights")},
            Need.TOKEN_KL: {"token_kl": fields["token_kl"]},
            Need.COLLISION: {"log_collision": fields["log_collision"]},
            Need.CONDITION: {k: fields[k] for k in ("condition_logp", "reference_condition_logp")},
            Need.REFERENCE: {
                "reference_logp": sum_scored(reference, scored),
                "reference_tokens": reference,
            },
        }
        given = {
            k: v for need, part in asked.items() if need in self.needs for k, v in part.items()
        }
        return Clips(sum_scored(leaf, scored), scored.sum((-2, -1)), **given)

    def batch(self) -> Pairs:
        extra = {k: value for k, (need, value) in self.extra.items() if need in self.needs}
        return Pairs(self.side(0), self.side(1), **extra)


@pytest.fixture(scope="session")
def random_pairs() -> type[RandomPairs]:
    return RandomPairs
