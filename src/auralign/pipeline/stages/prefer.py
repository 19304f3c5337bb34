"""prefer: candidates from the SFT policy, and what a panel of simulated listeners says of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from auralign.audio.clips import quantise
from auralign.data.config import StrictModel
from auralign.data.study import StudyFolder
from auralign.data.token_files import read_token_archive, write_token_archive
from auralign.errors import DataError
from auralign.files import write_json
from auralign.pipeline.context import StageContext
from auralign.pipeline.stages.codec import TrainedCodec
from auralign.pipeline.stages.corpus import Corpus
from auralign.pipeline.stages.sft import TrainedPolicy
from auralign.policies.language_model import CodecLanguageModel
from auralign.preferences.ears import Ears
from auralign.preferences.panel import Panel, draw_trials
from auralign.stats.agreement import pairwise_agreement
from auralign.types import DIMENSIONS, Audio, Clip, Estimate, Judgement, Prompt, Split, Tokens

AGREEMENT = {"speech": 0.75, "music": 0.60}
"""How often two listeners are to agree on a pair; for music as MusicRL found (arXiv 2402.04229)."""


class PreferOptions(StrictModel):
    """`n_train`, `n_validation` and `n_test` prompts; a prompt is in one split only.

    The panel compares `pairs_per_prompt` pairs of the `n_candidates` clips of each train and
    validation prompt, `votes_per_pair` listeners each, and rates the validation clips.
    """

    stage: Literal["prefer"] = "prefer"
    n_train: int = Field(ge=2)
    n_validation: int = Field(ge=2)
    n_test: int = Field(ge=2)
    n_candidates: int = Field(ge=2)
    pairs_per_prompt: int = Field(ge=1)
    votes_per_pair: int = Field(ge=1)
    n_listeners: int = Field(ge=2)
    n_raters: int = Field(ge=2)
    agreement: Literal["speech", "music"] = "speech"
    taste_spread: float = Field(default=0.5, ge=0)


@dataclass(frozen=True)
class Preferences:
    """The study, its candidates' tokens, and the panel with the ears it listened with."""

    study: StudyFolder
    prompts: dict[str, Prompt]
    test_prompts: list[Prompt]
    clips: list[Clip]
    tokens: dict[str, Tokens]
    judgements: list[Judgement]
    panel: Panel
    ears: Ears
    agreement: dict[str, Estimate]

    def split(self, split: Split) -> list[Prompt]:
        return [p for p in self.prompts.values() if p.split is split]

    def audios(self, clips: Sequence[Clip]) -> list[Audio]:
        return [self.study.audio(clip) for clip in clips]

    @classmethod
    def load(cls, folder: Path) -> Preferences:
        study = StudyFolder.open(folder / "study")
        prompts = study.prompts()
        about = json.loads((folder / "panel.json").read_text(encoding="utf-8"))
        return cls(
            study=study,
            prompts={p.id: p for p in prompts if p.split is not Split.TEST},
            test_prompts=[p for p in prompts if p.split is Split.TEST],
            clips=study.clips(),
            tokens=read_token_archive(folder / "tokens.npz"),
            judgements=study.judgements(),
            panel=Panel.from_json(about["panel"]),
            ears=Ears.load(folder / "ears"),
            agreement={d: Estimate(**e) for d, e in about["agreement"].items()},
        )


def run_prefer(
    options: PreferOptions,
    context: StageContext,
    corpus: Corpus,
    codec: TrainedCodec,
    sft: TrainedPolicy,
) -> Preferences:
    """Samples, listens, votes and rates; everything is written as simulated."""
    sizes = {
        Split.TRAIN: options.n_train,
        Split.VALIDATION: options.n_validation,
        Split.TEST: options.n_test,
    }
    prompts = draw_prompts(sizes, corpus.prompts.values(), context.rng("prompts"))
    asked = {p.id: p for p in prompts if p.split is not Split.TEST}
    study = StudyFolder.create(
        context.folder / "study",
        name="candidates of the SFT policy",
        simulated=True,
        notes="All listeners are simulated: programs, not people.",
    )
    context.progress(0.05, "sampling candidates")
    clips, tokens, audios = sample_clips(
        study, sft.policy, codec, list(asked.values()), options.n_candidates, "sft", context
    )
    context.progress(0.5, "fitting the simulated listeners' ears")
    ears = fit_ears(corpus, half=0, context=context)
    percepts = ears.hear(audios, [asked[clip.prompt_id] for clip in clips])
    context.progress(0.8, "simulated listeners answer")
    panel, judgements = _ask_panel(options, context, clips, percepts)
    judgements += _rate(options, context, panel, clips, percepts, asked)
    study.write_prompts(prompts)
    study.write_clips(unique_clips(clips))
    study.write_judgements(judgements)
    write_token_archive(context.folder / "tokens.npz", tokens)
    agreement = _write_panel(context, panel, ears, judgements)
    n_votes = sum(j.outcome is not None for j in judgements)
    context.work.summary = (
        f"{len(clips)} candidates, {n_votes} votes by {options.n_listeners} simulated listeners, "
        f"pairwise agreement {agreement['overall'].value:.2f}"
    )
    return Preferences.load(context.folder)


def _ask_panel(
    options: PreferOptions,
    context: StageContext,
    clips: Sequence[Clip],
    percepts: NDArray[np.float64],
) -> tuple[Panel, list[Judgement]]:
    """A new panel whose noise gives the wanted agreement on these pairs, and its votes on them."""
    pairs = draw_pairs(clips, options.pairs_per_prompt, context.rng("pairs"))
    panel = Panel.draw(
        options.n_listeners,
        name="panel",
        taste_spread=options.taste_spread,
        rng=context.rng("panel"),
    ).with_agreement(AGREEMENT[options.agreement], percepts, np.array(pairs))
    trials = list(
        draw_trials(pairs, options.n_listeners, options.votes_per_pair, context.rng("trials"))
    )
    rng = context.rng("answers")
    return panel, panel.answer_pairs(clips, percepts, trials, study="prefer", rng=rng)


def _write_panel(
    context: StageContext, panel: Panel, ears: Ears, judgements: Sequence[Judgement]
) -> dict[str, Estimate]:
    """Stores the listeners and how well they agreed on each dimension, and returns the latter."""
    agreement = {
        d: pairwise_agreement(judgements, d, rng=context.rng(f"agreement {d}")) for d in DIMENSIONS
    }
    (context.folder / "ears").mkdir()
    ears.save(context.folder / "ears")
    write_json(context.folder / "panel.json", {"panel": panel.to_json(), "agreement": agreement})
    return agreement


def draw_prompts(
    sizes: Mapping[Split, int],
    corpus: Iterable[Prompt],
    rng: np.random.Generator,
    taken: Iterable[Prompt] = (),
) -> list[Prompt]:
    """New prompts like those of the corpus, all different, so many for each split.

    None is in the corpus or among the `taken`. Raises DataError when the words, lengths and
    speakers of the corpus do not allow so many.
    """
    corpus = list(corpus)
    texts = [p.text.split() for p in corpus]
    lengths = sorted({len(words) for words in texts})
    words = sorted({word for words in texts for word in words})
    speakers = sorted({p.condition or "" for p in corpus})
    used = {(p.text, p.condition or "") for p in (*corpus, *taken)}
    prompts: list[Prompt] = []
    attempts = iter(range(200 * sum(sizes.values())))
    for split in (split for split, size in sizes.items() for _ in range(size)):
        for _ in attempts:
            speaker = str(rng.choice(speakers))
            said = [str(w) for w in rng.choice(words, size=int(rng.choice(lengths)))]
            text = " ".join(said)
            if (text, speaker) not in used:
                break
        else:
            raise DataError(
                f"only {len(prompts)} of {sum(sizes.values())} new prompts were found that are not "
                "in the corpus: ask for fewer, or for longer strings"
            )
        used.add((text, speaker))
        prompts.append(Prompt(f"{speaker}-{'-'.join(said)}", text, speaker, split=split))
    return prompts


def sample_clips(
    study: StudyFolder,
    policy: CodecLanguageModel,
    codec: TrainedCodec,
    prompts: Sequence[Prompt],
    n: int,
    system: str,
    context: StageContext,
) -> tuple[list[Clip], dict[str, Tokens], list[Audio]]:
    """`n` clips for each prompt, prompt-major, stored in the study; audio as it was stored."""
    rollout = policy.sample(prompts, n, generator=context.generator(f"sample {system}"))
    audios = [quantise(audio) for audio in codec.codec.decode(rollout.tokens)]
    clips = [
        study.add_audio(audio, prompt_id=prompts[i].id, system=system, sampler="temperature 1")
        for i, audio in zip(rollout.prompt_index, audios, strict=True)
    ]
    tokens = {clip.id: codes for clip, codes in zip(clips, rollout.tokens, strict=True)}
    return clips, tokens, audios


def fit_ears(corpus: Corpus, *, half: int, context: StageContext) -> Ears:
    """Ears from one half of the clean speech, so that two panels do not hear alike."""
    clean = corpus.clean[half::2]
    ordinary = corpus.mixed[: len(corpus.clean)]
    return Ears.fit(
        corpus.audios(clean),
        corpus.prompts_of(clean),
        corpus.audios(ordinary),
        corpus.prompts_of(ordinary),
        rng=context.rng("ears"),
    )


def draw_pairs(
    clips: Sequence[Clip], per_prompt: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Up to `per_prompt` different pairs of different clips of each prompt, as clip indices."""
    of_prompt: dict[str, list[int]] = {}
    for i, clip in enumerate(clips):
        of_prompt.setdefault(clip.prompt_id, []).append(i)
    pairs = []
    for indices in of_prompt.values():
        every = [p for p in combinations(indices, 2) if clips[p[0]].id != clips[p[1]].id]
        chosen = rng.permutation(len(every))[:per_prompt]
        pairs += [every[i] for i in chosen]
    return pairs


def unique_clips(clips: Sequence[Clip]) -> list[Clip]:
    """One record for each clip: the same samples twice have one id."""
    return list({clip.id: clip for clip in reversed(clips)}.values())[::-1]


def _rate(
    options: PreferOptions,
    context: StageContext,
    panel: Panel,
    clips: Sequence[Clip],
    percepts: NDArray[np.float64],
    prompts: dict[str, Prompt],
) -> list[Judgement]:
    """Mean-opinion-score trials on the validation clips, by the first `n_raters` listeners."""
    rows = [i for i, c in enumerate(clips) if prompts[c.prompt_id].split is Split.VALIDATION]
    return panel.first(options.n_raters).rate(
        [clips[i] for i in rows],
        percepts[rows],
        dimension="overall",
        study="prefer",
        rng=context.rng("ratings"),
    )
