"""sft: the transformer learns to speak the corpus, flaws included."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from auralign.data.config import StrictModel
from auralign.pipeline.context import StageContext
from auralign.pipeline.stages.codec import TrainedCodec
from auralign.pipeline.stages.corpus import Corpus
from auralign.policies.language_model import CodecLanguageModel
from auralign.training.sft import SftSettings, train_sft
from auralign.types import Clip, Prompt, Tokens


class SftOptions(StrictModel):
    """`n_validation` clips are kept out of training; their loss selects the weights."""

    stage: Literal["sft"] = "sft"
    width: int = Field(ge=8)
    depth: int = Field(ge=1)
    n_heads: int = Field(ge=1)
    n_steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    history_noise: float = Field(default=0.1, ge=0, le=1)
    validate_every: int = Field(ge=1)
    n_validation: int = Field(ge=1)


@dataclass(frozen=True)
class TrainedPolicy:
    policy: CodecLanguageModel

    @classmethod
    def load(cls, folder: Path) -> TrainedPolicy:
        return cls(CodecLanguageModel.load(folder / "policy.safetensors"))


def run_sft(
    options: SftOptions, context: StageContext, corpus: Corpus, codec: TrainedCodec
) -> TrainedPolicy:
    """Maximum likelihood on the mixed corpus."""

    def data(clips: list[Clip]) -> tuple[list[Prompt], list[Tokens]]:
        return corpus.prompts_of(clips), [codec.tokens[clip.id] for clip in clips]

    def log(step: int, values: dict[str, float]) -> None:
        context.log(step, values)
        context.progress(step / options.n_steps, f"loss {values['loss']:.2f}")

    policy = CodecLanguageModel.new(
        *data(corpus.mixed),
        codebook_size=codec.codec.codebook_size,
        width=options.width,
        depth=options.depth,
        n_heads=options.n_heads,
        generator=context.generator("weights"),
    )
    result = train_sft(
        policy,
        data(corpus.mixed[options.n_validation :]),
        data(corpus.mixed[: options.n_validation]),
        SftSettings(
            n_steps=options.n_steps,
            batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            history_noise=options.history_noise,
            validate_every=options.validate_every,
        ),
        generator=context.generator("batches"),
        log=log,
    )
    policy.save(context.folder / "policy.safetensors")
    context.log(options.n_steps, asdict(result))
    context.work.summary = (
        f"validation loss {result.best_validation_loss:.2f} nats a code at step {result.best_step} "
        f"of {options.n_steps}"
    )
    return TrainedPolicy(policy)
