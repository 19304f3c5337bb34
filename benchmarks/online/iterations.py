"""One iteration of reinforcement against several of DPO, for the same number of votes.

SpeechAlign (arXiv 2404.05600) and the works after it find that PPO gains most in one iteration and
DPO over several, up to a peak. Here all arms may ask the same simulated listeners `N_VOTES` times:

    ppo, grpo, best of n   a reward model learns from all votes on clips of the SFT policy; then
                           one iteration on fresh clips, which it judges
    dpo                    in each of four iterations a quarter of the votes, on clips of the policy
                           as it is then

Another panel with other ears judges all of them on prompts that nothing was trained on.

    python -m benchmarks.online.iterations [--quick] [--runs DIR] [--json] [--figure FILE.svg]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from auralign.audio.clips import clip_id, quantise
from auralign.data.examples import TokenPair
from auralign.files import to_json, write_text
from auralign.policies import CodecLanguageModel
from auralign.preferences.pairs import pairs_from_votes
from auralign.preferences.panel import draw_trials
from auralign.report import LineChart, Series
from auralign.report.plots import standalone
from auralign.report.svg import line_chart
from auralign.training import TrainerSettings, train
from auralign.types import Clip, Prompt
from benchmarks.claims import Claim, Report, difference, to_markdown
from benchmarks.online.arms import SEEDS, Found, fresh_prompts, look, scales_of, trained, worlds
from benchmarks.worlds import World

N_PROMPTS = 400
N_ROUNDS, EVERY = 45, 15
N_ITERATIONS = 4
N_CANDIDATES, PAIRS_PER_PROMPT, VOTES_PER_PAIR = 6, 6, 2
PROMPTS_PER_ITERATION = 75
N_VOTES = N_ITERATIONS * PROMPTS_PER_ITERATION * PAIRS_PER_PROMPT * VOTES_PER_PAIR
"""3,600, as many as the reward model of `recipes/staged_rl.yaml` learns from."""

REINFORCED = {
    "ppo": {"objective": "ppo", "passes": 2, "minibatches": 2, "critic_rate": 1e-3},
    "grpo": {"objective": "grpo"},
    "best of n": {"objective": "best_of_n", "kl": None},
}

DPO = TrainerSettings(
    objective="dpo", options={"beta": 0.05}, learning_rate=6e-4, batch_size=16, anchor_weight=1.0
)

Curve = list[tuple[int, Found]]
"""After how many rounds, or iterations, and what was found."""


def measure(*, quick: bool, runs_dir: Path | None) -> Report:
    began = time.perf_counter()
    found = [compare(world, quick=quick) for world in worlds(quick=quick, runs_dir=runs_dir)]
    ends = {arm: [of[arm][-1][1].win_rate["overall"] for of in found] for arm in found[0]}
    pairs = [("ppo", "dpo"), ("grpo", "dpo"), ("ppo", "best of n"), ("grpo", "best of n")]
    gaps = {f"{a} less {b}": difference(ends[a], ends[b]) for a, b in pairs}
    return Report(
        claims=[
            Claim(f"{name}, at the end", ">", 0.0, gap["mean"], HOW)
            for name, gap in gaps.items()
            if "best of n" in name
        ],
        seeds=[0] if quick else SEEDS,
        seconds=time.perf_counter() - began,
        sizes={"votes": N_VOTES, "rounds": N_ROUNDS, "iterations": N_ITERATIONS},
        details={
            "table": {arm: _table([of[arm] for of in found]) for arm in found[0]},
            "differences": gaps,
            "settings": {"reinforced": REINFORCED, "dpo": DPO.model_dump()},
        },
    )


HOW = "mean over seeds of the win rate over the SFT policy, by simulated listeners kept apart"


def _table(curves: Sequence[Curve]) -> list[dict[str, float]]:
    """By round or iteration, means over seeds."""
    rows = []
    for points in zip(*curves, strict=True):
        found = [f for _, f in points]
        rows.append(
            {
                "after": points[0][0],
                "win_rate": float(np.mean([f.win_rate["overall"] for f in found])),
                "word_error": float(np.mean([f.word_error for f in found])),
                "kl": float(np.mean([f.kl for f in found])),
                "frames": float(np.mean([f.frames for f in found])),
            }
        )
    return rows


def figure(report: Report) -> str:
    """Win rates on the way, as a drawing that stands alone."""
    series = []
    for arm, rows in report.details["table"].items():
        last = rows[-1]["after"]
        x = (0.0, *(row["after"] / last for row in rows))
        series.append(Series(arm, x, (0.5, *(row["win_rate"] for row in rows))))
    return standalone(
        line_chart(
            LineChart(
                title="One iteration of reinforcement, four of DPO",
                x_label="share of the training",
                y_label="win rate over the SFT policy",
                series=tuple(series),
            )
        )
    )


def compare(world: World, *, quick: bool) -> dict[str, Curve]:
    """The curve of each arm in one world."""
    prompts = fresh_prompts(world, 24 if quick else N_PROMPTS)
    found = {}
    for name in REINFORCED:
        found[name] = _reinforced(world, name, prompts, quick=quick)
    found["dpo"] = _iterated(world, prompts, quick=quick)
    for name, curve in found.items():
        print(f"seed {world.seed}: {name} {[asdict(f) for _, f in curve]}", file=sys.stderr)
    return found


def _reinforced(world: World, name: str, prompts: Sequence[Prompt], *, quick: bool) -> Curve:
    curve: Curve = []
    trained(
        world,
        [{"combine": "weighted", "n_updates": 2 if quick else N_ROUNDS, "weights": {"overall": 1}}],
        scales=scales_of(world, prompts[:100]),
        prompts=prompts,
        changes=REINFORCED[name],
        every=1 if quick else EVERY,
        watch=lambda step, policy: curve.append((step, look(world, policy))),
    )
    return curve


def _iterated(world: World, prompts: Sequence[Prompt], *, quick: bool) -> Curve:
    policy, reference = world.policy.trainable_copy(), world.policy.frozen_copy()
    n = len(prompts) // N_ITERATIONS if quick else PROMPTS_PER_ITERATION
    curve: Curve = []
    for k in range(N_ITERATIONS):
        pairs = voted_pairs(world, policy, prompts[k * n : (k + 1) * n], k)
        train(
            policy, reference, pairs, DPO, seed=world.seed + k, evaluate=lambda step: {},
            keep="last",
        )  # fmt: skip
        curve.append((k + 1, look(world, policy)))
    return curve


def voted_pairs(
    world: World, policy: CodecLanguageModel, prompts: Sequence[Prompt], iteration: int
) -> list[TokenPair]:
    """Pairs of fresh clips with the share of votes of the training panel."""
    rng = np.random.default_rng([world.seed, iteration])
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    rollout = policy.sample(prompts, N_CANDIDATES, generator=generator)
    asked = [prompts[i] for i in rollout.prompt_index]
    audios = [quantise(audio) for audio in world.codec.codec.decode(rollout.tokens)]
    clips = [
        Clip(clip_id(a), "", a.sample_rate, 1, a.n_samples, p.id, "policy")
        for a, p in zip(audios, asked, strict=True)
    ]
    panel, percepts = world.preferences.panel, world.preferences.ears.hear(audios, asked)
    trials = list(draw_trials(_pairs_of(clips, rng), len(panel.listeners), VOTES_PER_PAIR, rng))
    votes = panel.answer_pairs(clips, percepts, trials, study=f"iteration {iteration}", rng=rng)
    tokens = {clip.id: codes for clip, codes in zip(clips, rollout.tokens, strict=True)}
    by_id = {p.id: p for p in prompts}
    return [
        TokenPair(by_id[p.prompt_id], tokens[p.chosen], tokens[p.rejected], p_chosen=p.p_chosen)
        for p in pairs_from_votes(votes, by_id, dimension="overall")
    ]


def _pairs_of(clips: Sequence[Clip], rng: np.random.Generator) -> list[tuple[int, int]]:
    of_prompt: dict[str, list[int]] = defaultdict(list)
    for i, clip in enumerate(clips):
        of_prompt[clip.prompt_id].append(i)
    pairs = []
    for rows in of_prompt.values():
        every = [p for p in combinations(rows, 2) if clips[p[0]].id != clips[p[1]].id]
        pairs += [every[i] for i in rng.permutation(len(every))[:PAIRS_PER_PROMPT]]
    return pairs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, at a size without meaning")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="keep, and reuse, run folders")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="write the drawing")
    arguments = parser.parse_args()
    report = measure(quick=arguments.quick, runs_dir=arguments.runs)
    print(to_json(report, indent=2) if arguments.json else to_markdown({"iterations": report}))
    if arguments.figure:
        write_text(arguments.figure, figure(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
