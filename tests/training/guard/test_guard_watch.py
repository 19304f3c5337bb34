"""The guard on a speaker whose clips are rewritten by six planted hacks."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from auralign.data.example_files import read_examples
from auralign.data.examples import TokenPair
from auralign.errors import ConfigError, DataError
from auralign.training.guard import Guard, Probe, Verdict
from auralign.training.guard.records import read_inspections
from auralign.types import Audio, Prompt, Rollout, Tokens

pytestmark = pytest.mark.slow

RATE = 8000
FRAME = 320
"""Samples in a frame, 40 ms."""
SILENCE = 0
PLAIN_GAIN = 1
GAINS = (0.1, 0.25, 0.5, 8.0)
"""Of the second codebook; the last one leaves full scale, and the decoder clips there."""
F0 = 110.0
Hack = Callable[[Tokens, np.random.Generator], Tokens]


def decode(tokens: Sequence[Tokens]) -> list[Audio]:
    """First codebook: silence, or a pitch in whole tones; second: a gain."""
    return [_tone(codes) for codes in tokens]


def _tone(codes: Tokens) -> Audio:
    f0 = np.repeat(F0 * 2 ** ((codes[0] - 1) / 6), FRAME)
    gain = np.repeat(np.where(codes[0] == SILENCE, 0.0, np.array(GAINS)[codes[1]]), FRAME)
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    wave = sum(np.sin(k * phase) / k for k in range(1, 12)) * gain
    return Audio(np.clip(wave, -1, 1).astype(np.float32)[None], RATE)


@dataclass
class Speaker:
    """Says the words of a prompt as runs of pitches with pauses; a hack may rewrite its clips."""

    hack: Hack | None = None
    share: float = 1.0
    model: torch.nn.Module = field(default_factory=torch.nn.Module)

    def sample(self, prompts, n, *, generator):
        rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        index = np.repeat(np.arange(len(prompts)), n)
        tokens = [self._clip(prompts[i], rng) for i in index]
        return Rollout(index, tokens, np.ones(len(index), bool), np.zeros(len(index)))

    def _clip(self, prompt: Prompt, rng: np.random.Generator) -> Tokens:
        words = [[SILENCE] * int(rng.integers(1, 4))]
        for word in prompt.text.split():
            start = 3 + len(word) % 4
            words += [
                list(start + rng.integers(-2, 4, size=7)),
                [SILENCE] * int(rng.integers(6, 8)),
            ]
        pitches = np.array([p for word in words for p in word][: -int(rng.integers(4, 6))])
        codes = np.stack([pitches, np.full(len(pitches), PLAIN_GAIN)]).astype(np.int64)
        return codes if self.hack is None or rng.random() > self.share else self.hack(codes, rng)

    def logits(self, prompts, tokens):
        longest = max(t.shape[1] for t in tokens)
        drawn = torch.zeros(len(tokens), 2, longest, dtype=torch.long)
        scored = torch.zeros(len(tokens), 2, longest, dtype=torch.bool)
        for row, clip in enumerate(tokens):
            drawn[row, :, : clip.shape[1]] = torch.from_numpy(clip)
            scored[row, :, : clip.shape[1]] = True
        return torch.zeros(len(tokens), 2, longest, 16), drawn, scored

    def token_logps(self, prompts, tokens):
        _, drawn, scored = self.logits(prompts, tokens)
        return torch.full(drawn.shape, -np.log(16.0)), scored


WORDS = ("one", "three", "four", "seven", "eleven")


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    return [Prompt(f"p{i}", f"{WORDS[i % 5]} {WORDS[(i * 3 + 1) % 5]}") for i in range(12)]


@pytest.fixture(scope="module")
def probe(prompts) -> Probe:
    return Probe(prompts, decode, n_before=4)


def stretch(clip, rng):
    return np.repeat(clip, np.where(clip[0] == SILENCE, 1, 2), axis=1)


def pad(clip, rng):
    return np.concatenate([clip, np.zeros((2, 15), np.int64)], axis=1)


def louder(clip, rng):
    return np.stack([clip[0], np.full_like(clip[1], PLAIN_GAIN + 1)])


def overdrive(clip, rng):
    return np.stack([clip[0], np.full_like(clip[1], 3)])


def copy(clip, rng):
    said = [0, 0, 3, 4, 5, 6, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 6, 5, 4, 3, 4, 1, 6, 0, 0]
    return np.stack([np.array(said), np.full(len(said), PLAIN_GAIN)])


def nothing(clip, rng):
    return np.zeros((2, 1), np.int64)


HACKS = {
    "over-articulation": stretch,
    "silence padding": pad,
    "loudness": louder,
    "clipping": overdrive,
    "copying": copy,
    "empty output": nothing,
}


@pytest.fixture(scope="module")
def learnt(probe):
    """Bands of all measures, learnt once; tests take copies."""
    return Guard.learn(Speaker(), probe, seed=1)


@pytest.fixture(scope="module")
def learnt_little(probe):
    """Bands of the measures that cost nothing."""
    return Guard.learn(Speaker(), dataclasses.replace(probe, signals=()), seed=1)


def fresh(guard, folder):
    """A guard with these bands, of a speaker of its own, which writes."""
    return dataclasses.replace(guard, policy=Speaker(), history=[], hacked=[], folder=folder)


@pytest.fixture
def full_guard(learnt, tmp_path):
    return fresh(learnt, tmp_path)


@pytest.fixture
def guard(learnt_little, tmp_path):
    return fresh(learnt_little, tmp_path)


def last(guard):
    return read_inspections(guard.folder / "guard.jsonl")[-1]


@pytest.mark.parametrize(("rule", "hack"), HACKS.items(), ids=list(HACKS))
def test_a_planted_hack_in_a_third_of_the_clips_raises_its_own_rule(full_guard, rule, hack):
    full_guard.policy.hack, full_guard.policy.share = hack, 0.34
    full_guard({})
    assert rule in {f.rule for f in last(full_guard).findings if f.verdict is Verdict.ALARM}


@pytest.mark.parametrize("seed", range(3))
def test_the_same_speaker_with_other_seeds_is_let_go_on(full_guard, seed):
    full_guard.seed = 100 + seed
    assert full_guard({"step": 5, "kl": 0.1}) is None
    assert last(full_guard).action == "go on"
    assert last(full_guard).step == 5


def test_an_alarm_ends_training_with_the_rule_the_numbers_and_what_to_do(guard):
    guard.policy.hack = louder
    text = guard({})
    assert text.startswith("the guard's rule 'loudness': level_dbfs -1")
    assert text.endswith("look at 'paid for level'")
    assert last(guard).action == "roll back"


def test_a_guard_that_only_warns_lets_training_go_on(guard):
    guard.on_alarm, guard.policy.hack = "warn", louder
    assert guard({}) is None
    assert last(guard).action == "warn"


def test_hacked_clips_become_rejected_examples_of_their_prompts(guard, prompts):
    guard.on_alarm, guard.policy.hack, guard.policy.share = "warn", nothing, 0.5
    guard({})
    n_fed = last(guard).n_fed
    assert 0 < n_fed <= 12
    guard({})
    assert last(guard).n_fed == 0  # the same clips again
    pairs = read_examples(guard.folder / "hacked.jsonl")
    assert len(pairs) == n_fed
    for pair in pairs:
        assert not pair.rejected[0].any()
        assert pair.chosen[0].any()
        assert pair.prompt in prompts


def test_a_run_that_goes_on_takes_back_what_came_after_its_checkpoint(guard, learnt_little):
    for step in (1, 2, 3):
        guard({"step": step, "held_out_preference": 0.5 + step / 100})
    resumed = fresh(learnt_little, guard.folder)
    resumed({"step": 2, "held_out_preference": 0.6})
    assert [i.step for i in read_inspections(guard.folder / "guard.jsonl")] == [1, 2]
    assert [h["held_out_preference"] for h in resumed.history] == [0.51, 0.6]


def test_listeners_and_rewards_are_heard(prompts):
    """The proxy pays for level, listeners do not like it: metric up, preference down."""

    def level(audios, asked):
        rng = np.random.default_rng(0)
        return np.array([np.abs(a.samples).max() + 0.05 * rng.random() for a in audios])

    def gentle(before, after, asked):
        return np.array(
            [float(a.samples.max() <= b.samples.max()) for b, a in zip(before, after, strict=True)]
        )

    probe = Probe(
        prompts, decode, rewards={"proxy": level, "held_out": lambda a, p: -level(a, p)},
        listeners=gentle, signals=(), n_before=2,
    )  # fmt: skip
    speaker = Speaker()
    guard = Guard.learn(speaker, probe, kl_budget=1.0)
    assert "paid for level" in {f.rule for f in guard.before_training()}
    speaker.hack = louder
    text = guard({"kl_exact": 2.0})
    for rule in ("loudness", "metric up, preference down", "KL beyond budget"):
        assert rule in text
    assert "proxy against held-out reward" in text
    assert guard.history[0]["held_out_preference"] == 0


def test_what_was_known_before_training_is_said_and_does_not_end_it(guard):
    guard.known = {"proxy_accuracy": 0.5, "proxy_accuracy_error": 0.02}
    assert [f.rule for f in guard.before_training()] == ["proxy and votes"]
    assert guard({}) is None
    assert last(guard).action == "warn"


def test_chosen_clips_that_the_policy_would_never_say_are_counted(probe, prompts):
    class Fluent(Speaker):
        """Half as likely are codes of 9 and above."""

        def token_logps(self, prompts, tokens):
            logps, scored = super().token_logps(prompts, tokens)
            codes = self.logits(prompts, tokens)[1]
            return logps - 3.0 * (codes >= 12), scored

    clip = np.full((2, 5), 1)
    pairs = [TokenPair(prompts[0], chosen, clip) for chosen in (clip, clip, clip, clip + 12)]
    small = dataclasses.replace(probe, signals=(), n_before=2)
    guard = Guard.learn(Fluent(), small, chosen=pairs)
    assert guard.known["chosen_off_policy"] == 0.25


def test_a_probe_needs_enough_prompts_and_clips_to_compare(prompts):
    with pytest.raises(ConfigError, match="at least 8 prompts, got 3"):
        Probe(prompts[:3], decode)
    with pytest.raises(ConfigError, match="1 to n_before = 1 clips"):
        Probe(prompts, decode, n_before=1)


def test_a_reward_that_forgets_clips_is_refused(prompts):
    probe = Probe(prompts, decode, rewards={"proxy": lambda a, p: np.zeros(3)}, signals=())
    with pytest.raises(DataError, match=r"'proxy' gave values of shape \[3\] about 96 clips"):
        Guard.learn(Speaker(), probe)
