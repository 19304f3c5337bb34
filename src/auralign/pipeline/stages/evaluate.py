"""evaluate: SFT against aligned, on prompts never used, by listeners never used in training."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from auralign.data.config import StrictModel
from auralign.data.study import StudyFolder
from auralign.evaluation import (
    FailureRow,
    SignalRow,
    Symptoms,
    compare_signals,
    diagnose,
    measure,
    system_win_rate,
)
from auralign.files import write_json
from auralign.pipeline.context import StageContext
from auralign.pipeline.stages.align import AlignedPolicies
from auralign.pipeline.stages.codec import TrainedCodec
from auralign.pipeline.stages.corpus import Corpus
from auralign.pipeline.stages.model import TrainedReward
from auralign.pipeline.stages.prefer import Preferences, fit_ears, sample_clips, unique_clips
from auralign.pipeline.stages.sft import TrainedPolicy
from auralign.preferences.panel import Panel, draw_trials
from auralign.signals.recognisers.ctc import CtcRecogniser
from auralign.types import DIMENSIONS, Clip, Estimate, Judgement, Prompt

BEFORE, AFTER, HACKED = "sft", "aligned", "hacked"


class EvaluateOptions(StrictModel):
    """`votes_per_prompt` of `n_listeners` new listeners compare before and after on each prompt."""

    stage: Literal["evaluate"] = "evaluate"
    n_listeners: int = Field(ge=2)
    votes_per_prompt: int = Field(ge=1)
    n_recogniser_epochs: int = Field(ge=1)
    taste_spread: float = Field(default=0.5, ge=0)
    kl_budget: float = Field(gt=0)


@dataclass(frozen=True)
class Evaluation:
    """Clips of all systems on the test prompts, the votes on them, and what was measured."""

    study: StudyFolder
    prompts: list[Prompt]
    clips: list[Clip]
    judgements: list[Judgement]
    transcripts: dict[str, str]
    win_rates: dict[str, dict[str, Estimate]]
    signals: dict[str, list[SignalRow]]
    failures: dict[str, list[FailureRow]]

    @classmethod
    def load(cls, folder: Path) -> Evaluation:
        study = StudyFolder.open(folder / "study")
        about = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        return cls(
            study=study,
            prompts=study.prompts(),
            clips=study.clips(),
            judgements=study.judgements(),
            transcripts=about["transcripts"],
            win_rates={
                system: {d: Estimate(**e) for d, e in rates.items()}
                for system, rates in about["win_rates"].items()
            },
            signals={s: [_signal_row(r) for r in rows] for s, rows in about["signals"].items()},
            failures={s: [FailureRow(**r) for r in rows] for s, rows in about["failures"].items()},
        )


@dataclass(frozen=True)
class _System:
    """One system's clips on the test prompts, in the order of the prompts."""

    clips: list[Clip]
    percepts: NDArray[np.float64]
    transcripts: list[str]
    values: Mapping[str, NDArray[np.float64]]
    reward: float


@dataclass(frozen=True)
class _Findings:
    """What was found about one policy next to the one before alignment."""

    win_rates: dict[str, Estimate]
    signals: list[SignalRow]
    failures: list[FailureRow]


def run_evaluate(
    options: EvaluateOptions,
    context: StageContext,
    corpus: Corpus,
    codec: TrainedCodec,
    sft: TrainedPolicy,
    preferences: Preferences,
    reward: TrainedReward,
    align: AlignedPolicies,
) -> Evaluation:
    """Samples, votes, measures and diagnoses; the hacked policy is measured beside the aligned."""
    study = StudyFolder.create(
        context.folder / "study",
        name="before and after alignment",
        simulated=True,
        notes="All listeners are simulated: programs, not people. None took part in training.",
    )
    recogniser = _fit_recogniser(options, context, corpus)
    ears = fit_ears(corpus, half=1, context=context)
    prompts = preferences.test_prompts
    policies = {BEFORE: sft.policy, AFTER: align.aligned, HACKED: align.hacked}
    systems = {}
    for i, (name, policy) in enumerate(policies.items()):
        context.progress(0.6 + 0.1 * i, f"sampling {name}")
        clips, _, audios = sample_clips(study, policy, codec, prompts, 1, name, context)
        heard = recogniser.transcribe(audios)
        systems[name] = _System(
            clips,
            ears.hear(audios, prompts),
            heard,
            measure(audios, prompts, heard),
            float(reward.reward.score(audios, prompts).mean()),
        )
    context.progress(0.9, "simulated listeners vote")
    judgements = [
        judgement
        for name in (AFTER, HACKED)
        for judgement in _votes(options, context, preferences.panel, systems, name)
    ]
    study.write_prompts(prompts)
    study.write_clips(unique_clips([clip for s in systems.values() for clip in s.clips]))
    study.write_judgements(judgements)
    findings = {
        name: _compare(options, context, systems, judgements, name, prompts, align)
        for name in (AFTER, HACKED)
    }
    write_json(context.folder / "evaluation.json", _document(systems, findings))
    overall, words = findings[AFTER].win_rates["overall"], findings[AFTER].signals[0]
    context.work.summary = (
        f"simulated listeners prefer aligned in {overall.value:.0%} of votes "
        f"[{overall.low:.0%}, {overall.high:.0%}], "
        f"word error {words.before:.2f} to {words.after:.2f}"
    )
    return Evaluation.load(context.folder)


def _fit_recogniser(
    options: EvaluateOptions, context: StageContext, corpus: Corpus
) -> CtcRecogniser:
    """The evaluation's recogniser, from clean speech only; stored for whoever wants to listen."""
    recogniser = CtcRecogniser.fit(
        corpus.audios(corpus.clean),
        [p.text for p in corpus.prompts_of(corpus.clean)],
        architecture="convolutional",
        n_epochs=options.n_recogniser_epochs,
        generator=context.generator("recogniser"),
        progress=lambda done, total: context.progress(0.5 * done / total, "recogniser"),
    )
    recogniser.save(context.folder / "recogniser.pt")
    return recogniser


def _compare(
    options: EvaluateOptions,
    context: StageContext,
    systems: Mapping[str, _System],
    judgements: Sequence[Judgement],
    after: str,
    prompts: Sequence[Prompt],
    align: AlignedPolicies,
) -> _Findings:
    """Everything that is said about one policy next to the one before alignment."""
    win_rates = _win_rates(judgements, systems, after, context)
    signals = compare_signals(
        systems[BEFORE].values, systems[after].values, prompts, rng=context.rng(f"signals {after}")
    )
    symptoms = _symptoms(systems, after, win_rates["overall"], signals, align.about)
    return _Findings(win_rates, signals, diagnose(symptoms, kl_budget=options.kl_budget))


def _document(systems: Mapping[str, _System], findings: Mapping[str, _Findings]) -> dict[str, Any]:
    """What `evaluation.json` holds and `Evaluation.load` reads."""
    return {
        "transcripts": {
            clip.id: text
            for s in systems.values()
            for clip, text in zip(s.clips, s.transcripts, strict=True)
        },
        "win_rates": {name: f.win_rates for name, f in findings.items()},
        "signals": {name: f.signals for name, f in findings.items()},
        "failures": {name: f.failures for name, f in findings.items()},
        "reward": {name: s.reward for name, s in systems.items()},
    }


def _votes(
    options: EvaluateOptions,
    context: StageContext,
    trained: Panel,
    systems: Mapping[str, _System],
    after: str,
) -> list[Judgement]:
    """A new panel, with the answer noise of the first one, compares `after` with before."""
    panel = Panel.draw(
        options.n_listeners,
        name="evaluation",
        taste_spread=options.taste_spread,
        rng=context.rng("panel"),
    ).with_noise(trained.noise)
    clips = [*systems[BEFORE].clips, *systems[after].clips]
    percepts = np.concatenate([systems[BEFORE].percepts, systems[after].percepts])
    n = len(systems[BEFORE].clips)
    pairs = [(i, n + i) for i in range(n) if clips[i].id != clips[n + i].id]
    trials = list(
        draw_trials(
            pairs, options.n_listeners, options.votes_per_prompt, context.rng(f"trials {after}")
        )
    )
    return panel.answer_pairs(
        clips, percepts, trials, study=f"evaluate-{after}", rng=context.rng(f"answers {after}")
    )


def _win_rates(
    judgements: Sequence[Judgement],
    systems: Mapping[str, _System],
    after: str,
    context: StageContext,
) -> dict[str, Estimate]:
    of_clip = {clip.id: name for name, s in systems.items() for clip in s.clips}
    return {
        d: system_win_rate(
            judgements,
            of_clip,
            after=after,
            before=BEFORE,
            dimension=d,
            rng=context.rng(f"win rate {after} {d}"),
        )
        for d in DIMENSIONS
    }


def _symptoms(
    systems: Mapping[str, _System],
    after: str,
    win_rate: Estimate,
    signals: Sequence[SignalRow],
    training: Mapping[str, Any],
) -> Symptoms:
    rows = {row.name: row for row in signals}
    run = training[after]
    return Symptoms(
        rate_ratio=_ratio(rows["speaking rate"]),
        duration_ratio=_ratio(rows["duration"]),
        reward_change=systems[after].reward - systems[BEFORE].reward,
        win_rate=win_rate,
        chosen_log_ratio=run.get("chosen_log_ratio_per_code", math.nan),
        kl=run["kl"],
        entropy_ratio=run["token_entropy"] / training["entropy_before"],
    )


def _ratio(row: SignalRow) -> float:
    """After over before; NaN where the signal has no value on either side."""
    return row.after / row.before if row.after and row.before else float("nan")


def _signal_row(stored: dict[str, Any]) -> SignalRow:
    difference = stored["difference"]
    return SignalRow(**{**stored, "difference": Estimate(**difference) if difference else None})
