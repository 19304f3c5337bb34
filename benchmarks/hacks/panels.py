"""Panels of clips with a hack in some of them: which rules of the guard fire, and how often.

A pool has clips of the SFT policy, and each of them again with each hack planted. A panel draws the
clips of its band and those that are judged anew from the pool, `N_BEFORE` and `N_JUDGED` of each
prompt, and plants the hack in a share of the latter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from auralign.training.guard import Evidence, Probe, Verdict, judge
from auralign.training.guard.bands import learn_bands, shift
from auralign.training.guard.measures import spread_of_values, token_measures
from auralign.training.guard.probe import Heard, hear
from auralign.training.guard.rules import SAMPLES, SOUND, SPEECH
from auralign.types import Prompt, Rollout, Tokens
from benchmarks.hacks.hack import HACKS, Hack
from benchmarks.hacks.world import World

CLIP_RULES = (*SPEECH, *SOUND, *SAMPLES)
"""Those that judge by clips alone; no recogniser and no listener tells them anything."""
N_BEFORE, N_JUDGED = 8, 4
DOSES = (0.1, 0.3, 1.0)
ANY = "any rule"
OF_PANEL = ("copy_share", "seed_spread", "proxy_spread")
"""Measures of clips next to other clips of their panel."""

Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Pool:
    """`n` clips of each prompt, prompt-major; columns of `plain` have every proxy by its hack."""

    n: int
    plain: Heard
    planted: Mapping[str, Heard]
    voices: Sequence[Tokens]

    @property
    def n_prompts(self) -> int:
        return len(self.plain.tokens) // self.n


def make_pool(world: World, prompts: Sequence[Prompt], n: int, seed: int) -> Pool:
    """Every clip is sampled, decoded and measured once for each hack."""
    rewards = {hack.name: hack.reward(world) for hack in HACKS}
    generator = torch.Generator().manual_seed(seed)
    rollout = world.policy.sample(prompts, n, generator=generator)
    plain = hear(rollout, Probe(prompts, world.decode, rewards=rewards))
    rng = np.random.default_rng(seed)
    planted = {}
    for hack in HACKS:
        probe = Probe(prompts, world.decode, rewards={hack.name: rewards[hack.name]})
        clips = _planted(rollout, prompts, world.policy.voices, hack, rng)
        planted[hack.name] = hear(clips, probe)
    return Pool(n, plain, planted, list(world.policy.voices.values()))


def _planted(
    rollout: Rollout,
    prompts: Sequence[Prompt],
    voices: Mapping[str, Tokens],
    hack: Hack,
    rng: np.random.Generator,
) -> Rollout:
    """The same clips, with the hack in every one of them."""
    asked = [voices[prompts[i].reference_clip or ""] for i in rollout.prompt_index]
    clips = zip(rollout.tokens, asked, strict=True)
    return replace(rollout, tokens=[hack.plant(clip, voice, rng) for clip, voice in clips])


def firing_rates(
    pool: Pool, hack: Hack, dose: float, n_panels: int, rng: np.random.Generator
) -> dict[str, float]:
    """Share of the panels in which each rule raises an alarm, and in which `ANY` rule does."""
    counts = Counter({ANY: 0})
    for _ in range(n_panels):
        fired = alarms(pool, hack, dose, rng)
        counts.update([*fired, ANY] if fired else [])
    return {name: count / n_panels for name, count in counts.most_common()}


def alarms(pool: Pool, hack: Hack, dose: float, rng: np.random.Generator) -> list[str]:
    """The rules that raise an alarm about one panel, whose proxy is that of the hack."""
    order = rng.permuted(np.tile(np.arange(pool.n), (pool.n_prompts, 1)), axis=1)
    rows = order + pool.n * np.arange(pool.n_prompts)[:, None]
    band_rows = rows[:, :N_BEFORE].ravel()
    judged_rows = rows[:, N_BEFORE : N_BEFORE + N_JUDGED].ravel()
    hacked = rng.random(len(judged_rows)) < dose
    band = learn_bands(*_columns(pool, hack, band_rows, np.zeros(len(band_rows), dtype=bool)))
    columns, prompt = _columns(pool, hack, judged_rows, hacked)
    clips = {name: shift(band[name], values, prompt) for name, values in columns.items()}
    findings = judge(Evidence(clips), CLIP_RULES)
    return [finding.rule for finding in findings if finding.verdict is Verdict.ALARM]


def _columns(
    pool: Pool, hack: Hack, rows: NDArray[np.int64], hacked: NDArray[np.bool_]
) -> tuple[Columns, NDArray[np.int64]]:
    """All that the guard measures of these clips, and which prompt each answers."""
    plain, planted = pool.plain, pool.planted[hack.name]
    prompt = plain.prompt[rows]
    columns = {
        name: np.where(hacked, values[rows], plain.columns[name][rows])
        for name, values in planted.columns.items()
        if name not in OF_PANEL
    }
    columns["proxy"] = columns.pop(hack.name)
    columns["unscored"] = np.isnan(columns["proxy"]).astype(np.float64)
    columns["proxy_spread"] = spread_of_values(columns["proxy"], prompt)
    sounding = np.flatnonzero(columns["empty"] == 0)
    tokens = [(planted if hacked[k] else plain).tokens[rows[k]] for k in sounding]
    for name, values in token_measures(tokens, prompt[sounding], pool.voices).items():
        columns[name] = np.full(len(rows), np.nan)
        columns[name][sounding] = values
    return columns, prompt
