"""corpus: spoken digit strings, some of them flawed on purpose, with the prompts they answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from auralign.data.config import StrictModel
from auralign.data.corpora.digits import Utterance
from auralign.data.corpora.espeak_digits import espeak_digit_corpus
from auralign.data.corpora.fsdd import fsdd_digit_corpus
from auralign.data.study import StudyFolder
from auralign.pipeline.context import StageContext
from auralign.types import Audio, Clip, Prompt, Split

MIXED, CLEAN = "mixed", "clean"
"""Systems of the corpus study: what the generator learns from, and flawless speech for ears."""


class CorpusOptions(StrictModel):
    """`source` is `espeak`, with `n_speakers` of six voices, or `fsdd`, the Free Spoken Digit
    Dataset in the folder `path`, with all its speakers."""

    stage: Literal["corpus"] = "corpus"
    source: Literal["espeak", "fsdd"] = "espeak"
    path: str | None = None
    n_speakers: int = Field(default=4, ge=1)
    n_utterances: int = Field(ge=50)
    n_clean: int = Field(ge=20)
    flaw_share: float = Field(ge=0, le=1)
    min_digits: int = Field(ge=1)
    max_digits: int = Field(ge=1)


@dataclass(frozen=True)
class Corpus:
    """Clips with their prompts; the text of a clean clip is what is spoken in it."""

    study: StudyFolder
    mixed: list[Clip]
    clean: list[Clip]
    prompts: dict[str, Prompt]

    def audios(self, clips: Sequence[Clip]) -> list[Audio]:
        return [self.study.audio(clip) for clip in clips]

    def prompts_of(self, clips: Sequence[Clip]) -> list[Prompt]:
        return [self.prompts[clip.prompt_id] for clip in clips]

    @classmethod
    def load(cls, folder: Path) -> Corpus:
        study = StudyFolder.open(folder / "study")
        clips = study.clips()
        return cls(
            study,
            mixed=[c for c in clips if c.system == MIXED],
            clean=[c for c in clips if c.system == CLEAN],
            prompts={p.id: p for p in study.prompts()},
        )


def run_corpus(options: CorpusOptions, context: StageContext) -> Corpus:
    """Makes the corpus and stores it as a study folder without judgements."""
    study = StudyFolder.create(
        context.folder / "study",
        name=f"{options.source} digit strings",
        simulated=False,
        notes=f"{options.flaw_share:.0%} of the '{MIXED}' clips carry flaws on purpose",
    )
    prompts: dict[str, Prompt] = {}
    clips: list[Clip] = []
    for system, n, flaw_share in (
        (MIXED, options.n_utterances, options.flaw_share),
        (CLEAN, options.n_clean, 0.0),
    ):
        utterances = _utterances(options, n, flaw_share, context, system)
        for i, utterance in enumerate(utterances):
            prompts[utterance.prompt.id] = utterance.prompt
            flaws = "+".join(utterance.flaws) or None
            clip = study.add_audio(
                utterance.audio, prompt_id=utterance.prompt.id, system=system, sampler=flaws
            )
            clips.append(clip)
            if i % 50 == 0:
                context.progress((i + 1) / n, f"storing {system} recordings")
    study.write_prompts(prompts.values())
    study.write_clips(_without_duplicates(clips))
    corpus = Corpus.load(context.folder)
    minutes = sum(c.duration_s for c in corpus.mixed) / 60
    flawed = sum(c.sampler is not None for c in corpus.mixed) / len(corpus.mixed)
    context.work.summary = (
        f"{len(corpus.mixed)} recordings ({minutes:.0f} min), {flawed:.0%} flawed on purpose, "
        f"{len({p.condition for p in prompts.values()})} speakers"
    )
    return corpus


def _utterances(
    options: CorpusOptions, n: int, flaw_share: float, context: StageContext, purpose: str
) -> list[Utterance]:
    digits = (options.min_digits, options.max_digits)
    rng = context.rng(purpose)
    if options.source == "espeak":
        return espeak_digit_corpus(
            n, n_speakers=options.n_speakers, flaw_share=flaw_share, digits=digits, rng=rng
        )
    return fsdd_digit_corpus(
        options.path or "", n, flaw_share=flaw_share, digits=digits, split=Split.TRAIN, rng=rng
    )


def _without_duplicates(clips: Sequence[Clip]) -> list[Clip]:
    """The same samples twice are one clip: short strings of recordings can coincide."""
    return list({clip.id: clip for clip in clips}.values())
