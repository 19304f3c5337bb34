"""The world in which policies are tempted: recordings, recognisers, listeners, the SFT policy."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from auralign.audio.levels import active_duration_s
from auralign.data.token_files import read_token_archive, write_token_archive
from auralign.files import write_json
from auralign.policies.language_model import CodecLanguageModel
from auralign.preferences.ears import Ears
from auralign.preferences.panel import Panel
from auralign.signals.recognisers.ctc import Architecture, CtcRecogniser
from auralign.training import SftSettings, train_sft
from auralign.types import Audio, Prompt, Tokens
from benchmarks.hacks.codec import GainShapeCodec, fit_codec
from benchmarks.hacks.policy import VoicePromptedModel
from benchmarks.hacks.recordings import (
    VOICE_FRAMES,
    VOICES_PER_SPEAKER,
    Recording,
    draw_prompts,
    record,
    voice_name,
)

N_ITERATIONS = 12
"""Of the phase reconstruction; the bench decodes thousands of clips."""
AGREEMENT = 0.75
"""How often two simulated listeners who decide choose the same clip of the SFT policy."""
N_LISTENERS = 24
ARCHITECTURES: tuple[Architecture, Architecture] = ("recurrent", "convolutional")
"""Of recognisers A and B, which hear different halves of the clean recordings."""
N_VALIDATION = 80
N_JUDGED_PROMPTS = 64
CUT_OFF_FRAMES = (2, 7)
TASTE_SPREAD = 0.5


@dataclass(frozen=True, slots=True)
class WorldSizes:
    """Of the world: recordings for the SFT policy and for recognisers and ears, and the model."""

    n_recordings: int
    n_clean: int
    width: int
    depth: int
    n_steps: int
    n_recogniser_epochs: int
    codebook_size: int = 64
    batch_size: int = 24
    learning_rate: float = 4e-3


@dataclass(frozen=True, eq=False)
class World:
    """Recogniser A may be in a reward; B, the ears and their panel never are in a faulty one."""

    codec: GainShapeCodec
    policy: VoicePromptedModel
    recogniser_a: CtcRecogniser
    recogniser_b: CtcRecogniser
    ears: Ears
    panel: Panel

    def decode(self, tokens: Sequence[Tokens]) -> list[Audio]:
        return self.codec.decode(tokens, n_iterations=N_ITERATIONS)

    def voice_audios(self) -> dict[str, Audio]:
        voices = self.policy.voices
        return dict(zip(voices, self.decode(list(voices.values())), strict=True))

    @cached_property
    def seconds_per_word(self) -> float:
        """The usual pace of the SFT policy, in seconds of speech."""
        prompts = draw_prompts(N_JUDGED_PROMPTS, "pace", np.random.default_rng(0))
        rollout = self.policy.sample(prompts, 1, generator=torch.Generator().manual_seed(0))
        seconds = [active_duration_s(audio) or 0.0 for audio in self.decode(rollout.tokens)]
        return sum(seconds) / sum(len(prompt.text.split()) for prompt in prompts)

    def prefer(
        self, before: Sequence[Audio], after: Sequence[Audio], prompts: Sequence[Prompt]
    ) -> NDArray[np.float64]:
        """The simulated panel's mean preference for the second of two clips; a tie counts half."""
        percepts = self.ears.hear([*before, *after], [*prompts, *prompts])
        n = len(prompts)
        pairs = np.stack([np.arange(n), n + np.arange(n)], axis=1)
        first, second = self.panel.choice_probabilities(percepts, pairs, "overall")
        return np.asarray((second + (1 - first - second) / 2).mean(axis=0))

    def save(self, folder: Path) -> None:
        self.codec.save(folder / "codec.npz")
        self.policy.save(folder / "policy.safetensors")
        write_token_archive(folder / "voices.npz", self.policy.voices)
        self.recogniser_a.save(folder / "recogniser-a.pt")
        self.recogniser_b.save(folder / "recogniser-b.pt")
        self.ears.save(folder)
        write_json(folder / "panel.json", self.panel.to_json())

    @classmethod
    def load(cls, folder: Path) -> World:
        """Raises DataError for a folder that `save` did not write."""
        policy = CodecLanguageModel.load(folder / "policy.safetensors")
        voices = read_token_archive(folder / "voices.npz")
        codec = GainShapeCodec.load(folder / "codec.npz")
        assert isinstance(codec, GainShapeCodec)
        return cls(
            codec,
            VoicePromptedModel(policy.model, policy.vocabulary, voices),
            CtcRecogniser.load(folder / "recogniser-a.pt"),
            CtcRecogniser.load(folder / "recogniser-b.pt"),
            Ears.load(folder),
            Panel.from_json(json.loads((folder / "panel.json").read_text(encoding="utf-8"))),
        )


def build_world(sizes: WorldSizes, seed: int) -> World:
    """Everything is trained from nothing, on recordings of espeak-ng."""
    rng = np.random.default_rng(seed)
    clean = record(sizes.n_clean, "clean", rng, accidents={})
    codec = fit_codec([r.audio for r in clean], codebook_size=sizes.codebook_size, rng=rng)
    codes = codec.encode([r.audio for r in clean])
    policy = _sft_policy(sizes, codec, _voices(clean, codes), rng)
    heard = codec.decode(codes, n_iterations=N_ITERATIONS)
    asked = [r.prompt for r in clean]
    recogniser_a, recogniser_b = (
        _recogniser(heard[half::2], asked[half::2], architecture, sizes, rng)
        for half, architecture in enumerate(ARCHITECTURES)
    )
    ears, panel = _listeners(policy, codec, heard, asked, rng)
    return World(codec, policy, recogniser_a, recogniser_b, ears, panel)


def _voices(clean: Sequence[Recording], codes: Sequence[Tokens]) -> dict[str, Tokens]:
    """The first second of each speaker's first recordings that are long enough."""
    voices: dict[str, Tokens] = {}
    counts: Counter[str] = Counter()
    for recording, clip in zip(clean, codes, strict=True):
        speaker = recording.prompt.condition or ""
        if clip.shape[1] >= VOICE_FRAMES and counts[speaker] < VOICES_PER_SPEAKER:
            voices[voice_name(speaker, counts[speaker])] = clip[:, :VOICE_FRAMES]
            counts[speaker] += 1
    return voices


def _sft_policy(
    sizes: WorldSizes, codec: GainShapeCodec, voices: Mapping[str, Tokens], rng: np.random.Generator
) -> VoicePromptedModel:
    recordings = record(sizes.n_recordings, "corpus", rng)
    codes = codec.encode([r.audio for r in recordings])
    prompts = [r.prompt for r in recordings]
    tokens = [_said(r, clip, voices, rng) for r, clip in zip(recordings, codes, strict=True)]
    generator = _generator(rng)
    policy = VoicePromptedModel.untrained(
        prompts,
        tokens,
        voices,
        codebook_size=sizes.codebook_size,
        width=sizes.width,
        depth=sizes.depth,
        generator=generator,
    )
    n = len(prompts) - N_VALIDATION
    train_sft(
        policy,
        (prompts[:n], tokens[:n]),
        (prompts[n:], tokens[n:]),
        SftSettings(sizes.n_steps, sizes.batch_size, sizes.learning_rate, validate_every=100),
        generator=generator,
        log=lambda step, measures: None,
    )
    return policy


def _said(
    recording: Recording, clip: Tokens, voices: Mapping[str, Tokens], rng: np.random.Generator
) -> Tokens:
    if recording.accident == "wrong take":
        return voices[recording.prompt.reference_clip or ""]
    if recording.accident == "cut off":
        return clip[:, : int(rng.integers(*CUT_OFF_FRAMES))]
    return clip


def _recogniser(
    audios: Sequence[Audio],
    prompts: Sequence[Prompt],
    architecture: Architecture,
    sizes: WorldSizes,
    rng: np.random.Generator,
) -> CtcRecogniser:
    return CtcRecogniser.fit(
        audios,
        [prompt.text for prompt in prompts],
        architecture=architecture,
        n_epochs=sizes.n_recogniser_epochs,
        generator=_generator(rng),
    )


def _listeners(
    policy: VoicePromptedModel,
    codec: GainShapeCodec,
    clean: Sequence[Audio],
    prompts: Sequence[Prompt],
    rng: np.random.Generator,
) -> tuple[Ears, Panel]:
    """Ears that know clean speech, and a panel that agrees about the SFT policy's clips."""
    asked = draw_prompts(N_JUDGED_PROMPTS, "judged", rng)
    rollout = policy.sample(asked, 2, generator=_generator(rng))
    audios = codec.decode(rollout.tokens, n_iterations=N_ITERATIONS)
    of_clip = [asked[i] for i in rollout.prompt_index]
    ears = Ears.fit(clean, prompts, audios, of_clip, rng=rng)
    panel = Panel.draw(N_LISTENERS, name="panel", taste_spread=TASTE_SPREAD, rng=rng)
    pairs = np.arange(2 * N_JUDGED_PROMPTS).reshape(-1, 2)
    return ears, panel.with_agreement(AGREEMENT, ears.hear(audios, of_clip), pairs)


def _generator(rng: np.random.Generator) -> torch.Generator:
    return torch.Generator().manual_seed(int(rng.integers(2**31)))
