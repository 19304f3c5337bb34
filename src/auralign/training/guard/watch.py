"""The guard: it hears a fixed probe at each evaluation, asks the rules, and acts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from auralign.data.example_files import read_examples, write_examples
from auralign.data.examples import TokenPair
from auralign.policies.layouts import length_groups
from auralign.training.guard.bands import Band, PromptIndex, learn_bands, shift
from auralign.training.guard.evidence import Evidence, Verdict, worst
from auralign.training.guard.figures import changes_of_rewards, with_derived
from auralign.training.guard.probe import Heard, Probe, listen
from auralign.training.guard.proxy_checks import proxy_figures
from auralign.training.guard.records import FILE, Inspection, append_inspection, keep_before
from auralign.training.guard.rule import Finding, Rule, judge
from auralign.training.guard.rules import RULES
from auralign.training.measures import divergence
from auralign.training.scoring import TrainablePolicy
from auralign.types import Prompt, Tokens

HACKED_FILE = "hacked.jsonl"
FRAMES_PER_PASS = 4096
REMARKABLE = (Verdict.WATCH, Verdict.ALARM)

OnAlarm = Literal["roll back", "warn"]


@dataclass(eq=False)
class Guard:
    """Called by a trainer with the measures of each evaluation; `Guard.learn` makes one.

    With `on_alarm` "roll back" an alarm ends training by the sentence that is returned, and the
    trainer gives the policy its best weights from before; with "warn" training goes on. With a
    folder, every evaluation is a line of guard.jsonl there, and clips that show an alarm's fault
    are the rejected sides of pairs in hacked.jsonl, whose chosen sides are clips of the SFT
    policy: examples for the next round.

    before          clips of the SFT policy, and the `bands` that they span
    known           figures from before training; `entropy_before` of the codes [nats]
    history         figures of the evaluations so far
    hacked          the pairs so far
    """

    policy: TrainablePolicy
    reference: Any
    probe: Probe
    before: Heard
    bands: Mapping[str, Band]
    known: Mapping[str, float]
    entropy_before: float
    kl_budget: float | None
    folder: Path | None
    on_alarm: OnAlarm
    seed: int
    rules: Sequence[Rule]
    history: list[dict[str, float]] = field(default_factory=list)
    hacked: list[TokenPair] = field(default_factory=list)

    @classmethod
    def learn(
        cls,
        policy: TrainablePolicy,
        probe: Probe,
        *,
        reference: Any = None,
        figures: Mapping[str, float] | None = None,
        chosen: Sequence[TokenPair] = (),
        kl_budget: float | None = None,
        folder: Path | None = None,
        on_alarm: OnAlarm = "roll back",
        seed: int = 0,
        rules: Sequence[Rule] = RULES,
    ) -> Guard:
        """Learns the bands from clips of `policy`, which must still be the SFT policy.

        reference   as the trainer's, for KL; None leaves KL to the trainer's measures
        figures     what is known beforehand, such as `proxy_accuracy` and its error
        chosen      pairs that will be trained on: how far their chosen sides are from the policy
        kl_budget   nats a clip

        Raises DataError for a reward that does not give one value for each clip.
        """
        before = listen(policy, probe, probe.n_before, seed + 1)
        asked = probe.asked(before.prompt)
        known = dict(figures or {})
        if "proxy" in probe.rewards:
            rng = np.random.default_rng(seed)
            known = proxy_figures(probe.rewards["proxy"], before.audios, asked, rng) | known
        if chosen:
            known["chosen_off_policy"] = _share_off_policy(policy, chosen, asked, before.tokens)
        entropy = _divergence(policy, None, asked, before.tokens)["token_entropy"]
        bands = learn_bands(before.columns, before.prompt)
        return cls(
            policy, reference, probe, before, bands, known, entropy, kl_budget, folder, on_alarm,
            seed, rules,
        )  # fmt: skip

    def before_training(self) -> list[Finding]:
        """What is to be said about the reward and the pairs before a step is made."""
        findings = judge(Evidence(figures=self.known), self.rules)
        return [finding for finding in findings if finding.verdict in REMARKABLE]

    def __call__(self, measures: Mapping[str, float]) -> str | None:
        """The sentence that ends training, or None; `measures` as the trainer logs them."""
        step = int(measures.get("step", len(self.history) + 1))
        if not self.history:
            self._go_on(step)
        heard = listen(self.policy, self.probe, self.probe.n_clips, self.seed)
        evidence = self._evidence(heard, measures)
        findings = judge(evidence, self.rules)
        alarms = [f for f in findings if f.verdict is Verdict.ALARM]
        ending = [f for f in alarms if f.rule in {rule.name for rule in self.rules if rule.ends}]
        action = self.on_alarm if ending else "warn" if alarms else "go on"
        inspection = Inspection(
            step=step,
            verdict=worst([f.verdict for f in findings]),
            action=action,
            n_fed=self._feed(heard, alarms),
            findings=tuple(f for f in findings if f.verdict in REMARKABLE),
            figures=evidence.figures,
            clips=evidence.clips,
        )
        self.history.append(dict(evidence.figures))
        if self.folder is not None:
            append_inspection(self.folder / FILE, inspection)
        return _words(ending) if action == "roll back" else None

    def _evidence(self, heard: Heard, measures: Mapping[str, float]) -> Evidence:
        """What is known about clips of the policy on the probe, with the trainer's measures."""
        sides = self.probe.better_sides
        clips = {
            name: shift(self.bands[name], values, heard.prompt, better=sides.get(name, 0))
            for name, values in heard.columns.items()
        }
        figures = with_derived(
            {**self.known, **self._figures(heard), **measures},
            kl_budget=self.kl_budget,
            entropy_before=self.entropy_before,
        )
        return Evidence(clips, figures | changes_of_rewards(clips), tuple(self.history))

    def _figures(self, heard: Heard) -> dict[str, float]:
        """Divergence and entropy on the probe's clips, and what the listeners prefer."""
        asked = self.probe.asked(heard.prompt)
        figures = _divergence(self.policy, self.reference, asked, heard.tokens)
        if self.probe.listeners is None:
            return figures
        opposite = [self.before.audios[row] for row in self._opposite(heard.prompt)]
        prefers = self.probe.listeners(opposite, heard.audios, asked)
        return figures | _preference(prefers, heard.prompt)

    def _opposite(self, prompt: PromptIndex) -> list[int]:
        """For each clip of the policy a clip of before, of the same prompt."""
        nth = np.arange(len(prompt)) % self.probe.n_clips
        rows: list[int] = (prompt * self.probe.n_before + nth).tolist()
        return rows

    def _go_on(self, step: int) -> None:
        """Takes up what a run that is gone on with had written before this step."""
        if self.folder is None:
            return
        self.history += [dict(i.figures) for i in keep_before(self.folder / FILE, step)]
        if self.history and (self.folder / HACKED_FILE).exists():
            stored = read_examples(self.folder / HACKED_FILE)
            self.hacked += [pair for pair in stored if isinstance(pair, TokenPair)]

    def _feed(self, heard: Heard, alarms: Sequence[Finding]) -> int:
        """Clips that show an alarm's fault become rejected, each once; returns how many."""
        names = {finding.rule for finding in alarms}
        shown = np.zeros(len(heard.prompt), dtype=np.bool_)
        for rule in self.rules:
            if rule.name in names:
                shown |= rule.check.outliers(heard.columns, self.bands)
        had = {(pair.prompt.id, pair.rejected.tobytes()) for pair in self.hacked}
        pairs = []
        for row, other in enumerate(self._opposite(heard.prompt)):
            prompt, clip = self.probe.prompts[heard.prompt[row]], heard.tokens[row]
            key = (prompt.id, clip.tobytes())
            if shown[row] and not self.before.columns["empty"][other] and key not in had:
                had.add(key)
                pairs.append(TokenPair(prompt, self.before.tokens[other], clip))
        self.hacked += pairs
        if pairs and self.folder is not None:
            write_examples(self.hacked, self.folder / HACKED_FILE)
        return len(pairs)


def _divergence(
    policy: TrainablePolicy, reference: Any, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
) -> dict[str, float]:
    return divergence(policy, reference, prompts, tokens, frames_per_pass=FRAMES_PER_PASS)


def _preference(prefers: NDArray[np.float64], prompt: PromptIndex) -> dict[str, float]:
    """The mean over prompts of the preference for the policy, with its standard error."""
    means = np.array([prefers[prompt == p].mean() for p in np.unique(prompt)])
    error = means.std(ddof=1) / math.sqrt(len(means))
    return {"held_out_preference": float(means.mean()), "held_out_preference_error": float(error)}


def _share_off_policy(
    policy: TrainablePolicy,
    pairs: Sequence[TokenPair],
    prompts: Sequence[Prompt],
    own: Sequence[Tokens],
) -> float:
    """Share of chosen clips that are less likely, a code, than 99 % of the policy's own clips."""
    floor = np.quantile(_nats_a_code(policy, prompts, own), 0.01)
    chosen = _nats_a_code(policy, [p.prompt for p in pairs], [p.chosen for p in pairs])
    return float((chosen < floor).mean())


@torch.no_grad()
def _nats_a_code(
    policy: TrainablePolicy, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
) -> NDArray[np.float64]:
    """Mean log-probability of the scored codes of each clip `[clips]`."""
    found = np.zeros(len(tokens))
    for rows in length_groups([clip.shape[1] for clip in tokens], FRAMES_PER_PASS):
        logps, scored = policy.token_logps([prompts[r] for r in rows], [tokens[r] for r in rows])
        sums = torch.where(scored, logps, 0.0).double().sum((-2, -1))
        found[rows] = (sums / scored.sum((-2, -1))).cpu().numpy()
    return found


def _words(alarms: Sequence[Finding]) -> str:
    first = alarms[0]
    more = f" (and {', '.join(f.rule for f in alarms[1:])})" if alarms[1:] else ""
    return f"the guard's rule '{first.rule}'{more}: {first.sentence}; {first.advice}"
