"""report: everything that was found, on one page that can be heard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from auralign.data.config import StrictModel
from auralign.data.runs import read_metrics
from auralign.evaluation import FailureRow, listener_win_rates
from auralign.pipeline.context import StageContext
from auralign.pipeline.stages.align import AlignedPolicies
from auralign.pipeline.stages.evaluate import AFTER, BEFORE, HACKED, Evaluation
from auralign.pipeline.stages.model import TrainedReward
from auralign.pipeline.stages.prefer import Preferences
from auralign.report import (
    Check,
    ClipCard,
    FailureSignature,
    Headline,
    LineChart,
    ListenerRate,
    Marker,
    PreferenceResult,
    PromptCard,
    ReportData,
    Reproduction,
    RewardCheck,
    ScatterChart,
    Series,
    SignalChange,
    Stage,
    VoteCount,
    WinRate,
    compare_words,
    write_report,
)
from auralign.signals.recognisers.words import normalise_words
from auralign.types import Clip, Estimate, Outcome, Prompt

LABELS = {BEFORE: "before (SFT)", AFTER: "after (aligned)", HACKED: "hack (no anchor)"}

SENTENCES = {
    "corpus": "Spoken digit strings were made or joined, some of them flawed on purpose: noise, "
    "clipping, slow over-articulation, a wrong or a repeated word.",
    "codec": "A discrete codec learned to turn sound into tokens and back.",
    "sft": "A small transformer learned to speak the corpus, flaws included.",
    "prefer": "It answered new prompts several times, and a panel of simulated listeners compared "
    "the answers on four dimensions.",
    "model": "A reward model learned to predict the panel's votes.",
    "align": "In rounds, the generator was trained on its own best and worst answers by that "
    "reward (DPO) while being held near where it started; the round was chosen on prompts kept "
    "out of training.",
    "online": "In stages, the generator was trained on clips that it sampled itself, by rewards "
    "that change from stage to stage, while a guard heard a fixed probe; the weights were chosen "
    "on prompts kept out of training.",
    "evaluate": "Other simulated listeners, on prompts never used, compared before with after; "
    "signals that were no part of the reward were measured.",
}


class ReportOptions(StrictModel):
    """The first `n_prompts` test prompts are shown, not ones chosen by ear."""

    stage: Literal["report"] = "report"
    n_prompts: int = Field(default=8, ge=1)


def run_report(
    options: ReportOptions,
    context: StageContext,
    preferences: Preferences,
    reward: TrainedReward,
    align: AlignedPolicies,
    evaluation: Evaluation,
) -> None:
    """Gathers records from the run and renders `report.html`."""
    data = ReportData(
        title="A digit speaker before and after preference alignment",
        subtitle="Made by auralign: collect preferences, model them, align the generator, check.",
        date=datetime.now(UTC).strftime("%-d %B %Y"),
        simulated=True,
        verdict=_verdict(evaluation),
        headlines=_headlines(evaluation, reward),
        stages=_stages(context),
        prompts=tuple(_cards(evaluation, options.n_prompts)),
        preference=_preference(evaluation),
        signals=tuple(_signals(evaluation)),
        signatures=tuple(_signatures(evaluation)),
        curves=tuple(_curves(context, align)),
        reward=_reward_check(preferences, reward),
        limits=(
            "The listeners are programs with five percepts each; they show that the loop works, "
            "not what people would say.",
            "The generator is small and speaks digits only.",
            "The round was chosen by what the training panel would answer on average, which only "
            "simulated listeners can say without being asked again and again.",
            "One seed is one run: the intervals cover listeners and prompts, not training.",
        ),
        reproduction=_reproduction(context),
    )
    context.progress(0.5, "drawing")
    write_report(data, context.folder / "report.html")
    context.work.summary = f"report.html with {len(data.prompts)} prompts to listen to"


def _verdict(evaluation: Evaluation) -> str:
    win = evaluation.win_rates[AFTER]["overall"]
    words = evaluation.signals[AFTER][0]
    if win.low > 0.5:
        preference = "Simulated listeners prefer the aligned generator"
    elif win.high < 0.5:
        preference = "Simulated listeners prefer the generator from before alignment"
    else:
        preference = "Simulated listeners show no clear preference"
    bad = [row.name for row in evaluation.failures[AFTER] if row.verdict != "PASS"]
    checks = f"watch: {', '.join(bad)}" if bad else "no known failure signature showed"
    return (
        f"{preference} ({win.value:.0%} of votes, 95 % interval {win.low:.0%} to {win.high:.0%}); "
        f"its word error went from {words.before:.2f} to {words.after:.2f}; {checks}."
    )


def _headlines(evaluation: Evaluation, reward: TrainedReward) -> tuple[Headline, ...]:
    words = evaluation.signals[AFTER][0]
    return (
        Headline(
            "Simulated listeners prefer after",
            evaluation.win_rates[AFTER]["overall"],
            unit="%",
            caption="win rate over before, ties half",
            from_votes=True,
        ),
        Headline(
            "Word error",
            words.after,
            before=words.before,
            unit="%",
            caption="recogniser trained on clean speech only",
        ),
        Headline(
            "Reward model accuracy",
            reward.about["accuracy"]["value"],
            unit="%",
            caption=f"held-out votes; at most {reward.about['ceiling']['value']:.0%} is possible",
            from_votes=True,
        ),
    )


def _stages(context: StageContext) -> tuple[Stage, ...]:
    return tuple(
        Stage(record.name, SENTENCES[record.name], record.summary, record.seconds)
        for record in context.run.stages().values()
        if record.name in SENTENCES
    )


def _cards(evaluation: Evaluation, n: int) -> list[PromptCard]:
    of_prompt: dict[str, dict[str, Clip]] = {}
    for clip in evaluation.clips:
        of_prompt.setdefault(clip.prompt_id, {})[clip.system] = clip
    return [_card(evaluation, p, of_prompt[p.id]) for p in evaluation.prompts[:n]]


def _card(evaluation: Evaluation, prompt: Prompt, clips: dict[str, Clip]) -> PromptCard:
    cards = tuple(
        ClipCard(
            LABELS[system],
            evaluation.study.audio(clips[system]),
            compare_words(
                normalise_words(prompt.text),
                normalise_words(evaluation.transcripts[clips[system].id]),
            ),
        )
        for system in LABELS
        if system in clips
    )
    votes = tuple(
        _vote_count(evaluation, clips[BEFORE], clips[system])
        for system in (AFTER, HACKED)
        if system in clips and BEFORE in clips
    )
    return PromptCard(prompt, cards, votes)


def _vote_count(evaluation: Evaluation, before: Clip, after: Clip) -> VoteCount:
    outcomes = [
        j.outcome if j.candidates[0].clip_id == after.id else j.swap().outcome
        for j in evaluation.judgements
        if j.dimension == "overall" and {c.clip_id for c in j.candidates} == {before.id, after.id}
    ]
    return VoteCount(
        prefer=LABELS[after.system],
        over=LABELS[BEFORE],
        n_prefer=sum(o is Outcome.A for o in outcomes),
        n=len(outcomes),
        n_ties=sum(o is not None and o.is_tie for o in outcomes),
    )


def _preference(evaluation: Evaluation) -> PreferenceResult:
    systems = {clip.id: clip.system for clip in evaluation.clips}
    rates = listener_win_rates(
        evaluation.judgements, systems, after=AFTER, before=BEFORE, dimension="overall"
    )
    return PreferenceResult(
        before=LABELS[BEFORE],
        after=LABELS[AFTER],
        win_rates=tuple(
            WinRate(d.replace("_", " "), e) for d, e in evaluation.win_rates[AFTER].items()
        ),
        listeners=tuple(ListenerRate(name, value, n) for name, (value, n) in rates.items()),
        note="None of these listeners, and none of these prompts, took part in training.",
    )


def _signals(evaluation: Evaluation) -> list[SignalChange]:
    return [
        SignalChange(
            **asdict(row) | {"difference": row.difference},
            reason="" if row.difference else "too few clips have a value",
        )
        for row in evaluation.signals[AFTER]
    ]


def _signatures(evaluation: Evaluation) -> list[FailureSignature]:
    def check(row: FailureRow) -> Check:
        reason = "not measured" if row.value is None else ""
        return Check(row.value, row.verdict, row.sentence, reason)

    rows = zip(evaluation.failures[AFTER], evaluation.failures[HACKED], strict=True)
    return [
        FailureSignature(a.name, a.meaning, a.band, a.unit, check(a), check(h)) for a, h in rows
    ]


def _curves(context: StageContext, align: AlignedPolicies) -> list[LineChart]:
    """SFT losses, and for both runs of alignment what tells an honest gain from a hack."""
    folders = {record.name: folder for folder, record in context.run.stages().items()}
    sft = read_metrics(context.run.path / "stages" / folders["sft"])
    rows = read_metrics(context.run.path / "stages" / folders[align.about["stage"]])
    charts = [
        LineChart(
            "Learning to speak",
            "step",
            "nats a code",
            (
                _series("training", sft, "loss", every=10),
                _series("validation", sft, "validation_loss"),
            ),
        )
    ]
    for key, title, unit in (
        ("margin", "Reward margin of chosen over rejected", "logits"),
        ("reward", "Reward of the policy's own clips", "as it was combined"),
        ("chosen_log_ratio", "Chosen clips against the reference", "nats a clip"),
        ("held_out_preference", "Held-out preference", "share of votes"),
        ("kl", "KL from the reference", "nats a clip"),
        ("duration_ratio", "Duration against before", "ratio"),
        ("token_entropy", "Code entropy", "nats"),
    ):
        series = tuple(
            _series(LABELS[run], [m for m in rows if m["run"] == run], key)
            for run in (AFTER, HACKED)
        )
        if any(s.x for s in series):
            charts.append(LineChart(title, "step", unit, series, _kept(align)))
    return charts


def _series(name: str, metrics: Sequence[dict[str, Any]], key: str, every: int = 1) -> Series:
    points = [(m["step"], m[key]) for m in metrics if key in m][::every]
    return Series(name, tuple(float(x) for x, _ in points), tuple(y for _, y in points))


def _kept(align: AlignedPolicies) -> tuple[Marker, ...]:
    """Where the aligned run's weights were taken."""
    return (Marker(float(align.about[AFTER]["step"]), "kept"),)


def _reward_check(preferences: Preferences, reward: TrainedReward) -> RewardCheck:
    about = reward.about
    mos = about["mos"]
    return RewardCheck(
        coefficient="pairwise, both decisive",
        agreement=preferences.agreement["overall"],
        ceiling=Estimate(**about["ceiling"]),
        accuracy=Estimate(**about["accuracy"]),
        spearman=Estimate(**about["mos_spearman"]),
        scatter=ScatterChart(
            "Reward against mean opinion score",
            "mean opinion score of simulated listeners",
            "reward (logits)",
            x=tuple(mos.values()),
            y=tuple(reward.candidate_rewards[clip] for clip in mos),
        ),
        note="Prompts that trained neither the reward model nor its stopping rule.",
    )


def _reproduction(context: StageContext) -> Reproduction:
    manifest = json.loads((context.run.path / "manifest.json").read_text(encoding="utf-8"))
    return Reproduction(
        command="auralign run recipe.yaml --out again",
        seed=context.seed,
        versions={name: version or "" for name, version in manifest["versions"].items()},
        recipe=context.run.recipe_text(),
    )
