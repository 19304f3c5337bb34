"""How a token policy is trained; read strictly, so that a setting that does nothing is an error."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from auralign.data.config import StrictModel

FRAMES_PER_PASS = {"cpu": 1024}
"""By device: on a CPU, passes that leave its cache are slower."""
FRAMES_PER_PASS_ELSEWHERE = 16_384

REFERENCE_ALPHA = 0.6
"""The step of a reference that moves, unless `reference_alpha` says (TRL's default)."""

MovingAverage = Annotated[float, Field(ge=0, lt=1)]


class OptimiserSettings(StrictModel):
    """What every training of a policy is told, whatever it learns from.

    schedule           of the learning rate after `warmup_steps` of linear growth: constant, or
                       down to zero as a line or as half a cosine
    frames_per_pass    frames of codes that go through the model at once, padding included: a batch
                       that is longer is computed in parts, with the gradient of the whole. None
                       takes `FRAMES_PER_PASS` of the device
    precision          `bf16` runs the model in autocast; log-probabilities stay in float32
    evaluate_every     updates between two evaluations; None evaluates after each epoch
    patience           evaluations without a better one after which training stops; None goes on
    """

    learning_rate: float = Field(default=1e-5, gt=0)
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    warmup_steps: int = Field(default=10, ge=0)
    weight_decay: float = Field(default=0.0, ge=0)
    betas: tuple[MovingAverage, MovingAverage] = (0.9, 0.95)
    max_grad_norm: float = Field(default=1.0, gt=0)
    frames_per_pass: int | None = Field(default=None, ge=1)
    precision: Literal["fp32", "bf16"] = "fp32"
    evaluate_every: int | None = Field(default=None, ge=1)
    patience: int | None = Field(default=None, ge=1)

    def frames_per_pass_on(self, device: str) -> int:
        """As given, or what suits the kind of device."""
        return self.frames_per_pass or FRAMES_PER_PASS.get(device, FRAMES_PER_PASS_ELSEWHERE)


class TrainerSettings(OptimiserSettings):
    """Settings of `train`; the seed and the data are not among them.

    objective          a name in `losses.OBJECTIVES`, and `options` of it
    anchor_weight      of nats a code of what was preferred (the chosen clips, the liked ones, the
                       best of each list), added to the objective; it keeps their likelihood up
    codebook_weights   `sum`, `mean`, `first`, or a number for each codebook (`policies.layouts`)
    batch_size         pairs, clips or lists in an update, over all processes
    order              of the examples: `similar_length` (random batches of clips of similar
                       length), `random`, or `easiest_first` (the widest gap of scores or votes,
                       which every example needs: `batches.require_order`)
    reference_every    updates between two steps of the reference towards the policy (TR-DPO) by
                       the share `reference_alpha` (None is `REFERENCE_ALPHA`); None leaves the
                       reference as it is
    """

    objective: str = "dpo"
    options: dict[str, Any] = Field(default_factory=dict)
    anchor_weight: float = Field(default=0.0, ge=0)
    codebook_weights: Literal["sum", "mean", "first"] | tuple[float, ...] = "sum"
    n_epochs: int = Field(default=1, ge=1)
    batch_size: int = Field(default=16, ge=1)
    order: Literal["similar_length", "random", "easiest_first"] = "similar_length"
    reference_every: int | None = Field(default=None, ge=1)
    reference_alpha: float | None = Field(default=None, gt=0, le=1)

    @field_validator("reference_alpha")
    @classmethod
    def _require_a_moving_reference(cls, alpha: float | None, info: ValidationInfo) -> float | None:
        if alpha is not None and info.data.get("reference_every", 0) is None:
            raise ValueError("expected `reference_every` beside it, without which nothing moves")
        return alpha
