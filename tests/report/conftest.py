"""A sample report: every number is invented and titled so, the sound is synthetic."""

from __future__ import annotations

import numpy as np
import pytest

from auralign import report as r
from auralign.types import Audio, Estimate, Prompt

RATE = 16_000
TEXTS = ("seven three nine", "zero one", "four four eight", "nine", "five two six", "one eight")


def estimate(value: float, half: float, n: int = 480, n_clusters: int = 40) -> Estimate:
    return Estimate(
        value, value - half, value + half, 0.95, n, n_clusters, "bootstrap over prompts"
    )


def syllables(n: int, pitch: float, noise: float, rng: np.random.Generator) -> Audio:
    """`n` voiced chirps with two moving formants and a pause after each, float32 `[1, time]`."""
    t = np.arange(int(0.4 * RATE)) / RATE
    parts = []
    for _ in range(n):
        contour = pitch * (1 + 0.2 * np.sin(2 * np.pi * 1.3 * t + rng.uniform(0, 6)))
        phase = 2 * np.pi * np.cumsum(contour) / RATE
        first, second = rng.uniform(400, 800), rng.uniform(1200, 2400)
        tones = [
            np.exp(-(((k * pitch - first) / 250) ** 2)) * np.sin(k * phase)
            + 0.4 * np.exp(-(((k * pitch - second) / 350) ** 2)) * np.sin(k * phase)
            for k in range(1, 40)
        ]
        voiced = np.sum(tones, axis=0) * np.hanning(t.size)
        parts += [0.25 * voiced, np.zeros(int(0.05 * RATE))]
    samples = np.concatenate(parts)
    samples = samples + noise * rng.standard_normal(samples.size)
    return Audio(np.clip(samples, -1, 1).astype(np.float32)[None], RATE)


def prompt_card(index: int, text: str, rng: np.random.Generator) -> r.PromptCard:
    words = text.split()
    n = len(words)
    said = " ".join(["five", *words[1:]]) if index % 2 == 0 else " ".join(words[:-1])
    clips = (
        r.ClipCard("before (SFT)", syllables(n, 110, 0.01, rng), r.compare_words(text, said)),
        r.ClipCard("after (aligned)", syllables(n, 115, 0.001, rng), r.compare_words(text, text)),
        r.ClipCard(
            "hack (no anchor)",
            syllables(n + 1, 180, 0.0, rng),
            r.compare_words(text, f"{text} {words[-1]}"),
            note="high reward, monotone",
        ),
    )
    votes = (
        r.VoteCount("after (aligned)", "before (SFT)", 9, 12, n_ties=1),
        r.VoteCount("after (aligned)", "hack (no anchor)", 11, 12),
    )
    return r.PromptCard(Prompt(f"p{index}", text, condition="speaker: low voice"), clips, votes)


def curve(title: str, y_label: str, rng: np.random.Generator, *names: str) -> r.LineChart:
    x = tuple(range(0, 301, 10))
    series = tuple(
        r.Series(
            name,
            tuple(float(v) for v in x),
            tuple(
                float(0.2 + 0.9 * (1 - np.exp(-v / 90)) * k + 0.03 * rng.standard_normal())
                for v in x
            ),
        )
        for k, name in enumerate(names, 1)
    )
    return r.LineChart(title, "step", y_label, series, (r.Marker(180, "chosen checkpoint"),))


def signals() -> tuple[r.SignalChange, ...]:
    return (
        r.SignalChange(
            "Word error rate", "%", "lower", 0.31, 0.124, estimate(-0.186, 0.05), 40, 40,
            "share of words that the evaluation recogniser gets wrong",
        ),
        r.SignalChange(
            "Noise floor", "dBFS", "lower", -48.2, -61.7, estimate(-13.5, 2.1), 40, 40,
            "level of the quietest tenth of the clip",
        ),
        r.SignalChange(
            "Speaking rate", "words/s", "target", 2.41, 2.38, estimate(-0.03, 0.08), 38, 40,
            "target: the training recordings, 2.4 words/s",
        ),
        r.SignalChange(
            "Pitch spread", "semitones", "descriptive", 2.9, 2.5, estimate(-0.4, 0.2), 36, 40,
            "too little sounds flat",
        ),
        r.SignalChange(
            "Loudness", "LUFS", "target", -23.4, -23.1, None, 0, 40, reason="clips under 0.4 s"
        ),
        r.SignalChange(
            "Speaker similarity", "", "higher", None, None, None, 0, 40, reason="no speaker model"
        ),
    )  # fmt: skip


def signatures() -> tuple[r.FailureSignature, ...]:
    return (
        r.FailureSignature(
            "Clips grow longer",
            "the generator never stops, because length earned reward",
            "0.85 to 1.15 of the reference",
            "",
            r.Check(1.03, "PASS", "As long as the recordings."),
            r.Check(1.62, "FAIL", "Clips are 62 % longer than the recordings."),
        ),
        r.FailureSignature(
            "Flat pitch",
            "the transcript got better and the melody went away",
            "at least 2 semitones",
            "semitones",
            r.Check(2.5, "WARN", "Less lively than before, still inside the limit."),
            r.Check(0.6, "FAIL", "Monotone."),
        ),
        r.FailureSignature(
            "Everything sounds the same",
            "all clips of a prompt have become one clip",
            "at least 0.30",
            "",
            r.Check(0.41, "PASS", "Clips of one prompt still differ."),
            r.Check(None, "WARN", "Could not be measured.", reason="one clip per prompt"),
        ),
    )


def make_sample(seed: int = 7, n_prompts: int = len(TEXTS)) -> r.ReportData:
    rng = np.random.default_rng(seed)
    mos = rng.uniform(1.5, 4.5, 60)
    reward = 0.9 * (mos - 3) + 0.6 * rng.standard_normal(60)
    return r.ReportData(
        title="Sample report: a digit speaker before and after alignment",
        subtitle="Invented numbers and synthetic sound, to show what the page looks like",
        date="1 January 2030",
        simulated=True,
        verdict=(
            "Sample sentence: listeners prefer the aligned generator on two of three prompts, and "
            "it says fewer wrong words; its melody became a little flatter."
        ),
        headlines=(
            r.Headline(
                "Listeners prefer the aligned voice",
                estimate(0.684, 0.048),
                unit="%",
                caption="480 answers on 40 test prompts.",
                from_votes=True,
            ),
            r.Headline(
                "Wrong words", 0.124, before=0.31, unit="%", caption="Evaluation recogniser."
            ),
            r.Headline(
                "Reward model is right",
                estimate(0.742, 0.03),
                unit="%",
                caption="Ceiling 80.5 %.",
                from_votes=True,
            ),
        ),
        stages=(
            r.Stage(
                "Base", "A small model learns to continue recordings.", "Loss 3.21 nats.", 41.2
            ),
            r.Stage("SFT", "It learns to say what the prompt asks.", "Word error 31.0 %.", 66.0),
            r.Stage("Collect", "Listeners compare two clips each.", "2 400 answers.", 8.4),
            r.Stage("Reward", "A model learns to predict them.", "Right on 74.2 %.", 12.9),
            r.Stage("Align", "The generator is tuned, held near its start.", "KL 4.1 nats.", 95.5),
            r.Stage("Evaluate", "New prompts, new listeners.", "68.4 % prefer after.", None),
        ),
        prompts=tuple(prompt_card(k, TEXTS[k % len(TEXTS)], rng) for k in range(n_prompts)),
        preference=r.PreferenceResult(
            "before (SFT)",
            "after (aligned)",
            (
                r.WinRate("overall", estimate(0.684, 0.048)),
                r.WinRate("content_preservation", estimate(0.71, 0.05)),
                r.WinRate("production_quality", estimate(0.64, 0.06)),
                r.WinRate("task_achievement", estimate(0.52, 0.07)),
            ),
            tuple(
                r.ListenerRate(f"listener {k}", float(v), 40)
                for k, v in enumerate(np.round(np.clip(rng.normal(0.68, 0.09, 24), 0, 1), 3))
            ),
        ),
        signals=signals(),
        signatures=signatures(),
        curves=(
            curve("Reward during alignment", "reward", rng, "aligned", "no anchor"),
            curve("Distance from the start", "KL [nats]", rng, "aligned", "no anchor", "limit"),
            curve("Reward model accuracy", "accuracy", rng, "validation pairs"),
        ),
        reward=r.RewardCheck(
            "Krippendorff's alpha",
            estimate(0.46, 0.06),
            estimate(0.805, 0.02),
            estimate(0.742, 0.03),
            estimate(0.71, 0.08, n=60, n_clusters=60),
            r.ScatterChart(
                "Reward against panel score",
                "panel score (MOS)",
                "reward",
                tuple(mos.tolist()),
                tuple(reward.tolist()),
            ),
        ),
        limits=(
            "The listeners are programs with made-up tastes; people may prefer something else.",
            "Forty prompts of spoken digits say nothing about long texts.",
        ),
        reproduction=r.Reproduction(
            "auralign run quickstart.yaml --seed 7",
            7,
            {"auralign": "0.1.0", "python": "3.11.7", "numpy": "2.4.6"},
            "generator:\n  kind: tokens\nalign:\n  method: dpo\n  beta: 0.1\n",
        ),
    )


@pytest.fixture(scope="session")
def sample() -> r.ReportData:
    return make_sample(n_prompts=1)
