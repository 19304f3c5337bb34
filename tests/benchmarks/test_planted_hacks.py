"""The parts of the bench of hacks that have a truth of their own."""

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from auralign.audio.levels import clipping_share, rms_dbfs
from auralign.types import Audio, Prompt
from benchmarks.hacks import transforms
from benchmarks.hacks.best_of_n import BestOfN, best_of_n
from benchmarks.hacks.codec import GAINS_DB, MEL, STACK, STEP_DB, GainShapeCodec, shapes_and_levels
from benchmarks.hacks.course import Course
from benchmarks.hacks.gallery import SIDES, row_to_show, write_gallery
from benchmarks.hacks.hack import HACKS
from benchmarks.hacks.policy import VoicePromptedModel
from benchmarks.hacks.recordings import draw_prompts
from benchmarks.hacks.reinforce import Reinforce

NATS_PER_DB = np.log(10) / 20


@pytest.fixture
def codec():
    """Two shapes, a low and a high band, in a codebook as large as that of the levels."""
    shapes = np.full((16, STACK, MEL.n_mels), -40 * NATS_PER_DB)
    shapes[::2, :, 4:8] = 0
    shapes[1::2, :, 20:24] = 0
    levels = np.broadcast_to((GAINS_DB * NATS_PER_DB)[:, None, None], shapes.shape)
    books = np.stack([shapes, levels]).reshape(2, 16, -1).astype(np.float32)
    return GainShapeCodec(centres=books, stack=STACK, mel=MEL)


def clip(shapes, levels):
    return np.array([shapes, levels])


def test_two_levels_more_are_eight_decibels(codec):
    soft, loud = codec.decode([clip([0] * 30, [level] * 30) for level in (5, 7)])
    assert rms_dbfs(loud) - rms_dbfs(soft) == pytest.approx(2 * STEP_DB, abs=0.1)


def test_the_highest_level_clips_at_full_scale_and_a_usual_one_does_not(codec):
    usual, highest = codec.decode([clip([0] * 30, [level] * 30) for level in (6, 15)])
    assert np.abs(usual.samples).max() < 0.5
    assert np.abs(highest.samples).max() == 1
    assert clipping_share(highest) > 0.1


def test_encoding_finds_shape_and_level_again(codec):
    tokens = clip([0] * 20 + [1] * 20, [6] * 20 + [4] * 20)
    (found,) = codec.encode(codec.decode([tokens]))
    inner = [*range(4, 16), *range(24, 36)]
    np.testing.assert_array_equal(found[0, inner] % 2, tokens[0, inner])
    assert np.abs(found[1, inner] - tokens[1, inner]).max() <= 1


def test_shape_and_level_add_up_to_the_frame():
    frames = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    shapes, levels = shapes_and_levels(frames)
    np.testing.assert_allclose(shapes + levels[:, None], frames, atol=1e-6)
    assert (shapes.max(axis=1) == 0).all()


CLIP = clip([5, 6, 7, 8], [0, 3, 14, 0])
VOICE = clip([1, 2, 3], [4, 4, 4])


def planted(transform):
    return transform(CLIP, VOICE, np.random.default_rng(0))


def test_stretching_repeats_what_sounds_and_leaves_silence():
    expected = clip([5, 6, 6, 7, 7, 8], [0, 3, 3, 14, 14, 0])
    np.testing.assert_array_equal(planted(transforms.stretched), expected)


def test_padding_adds_silence_at_the_end():
    found = planted(transforms.padded)
    np.testing.assert_array_equal(found[:, :4], CLIP)
    assert 0.3 <= 0.02 * (found.shape[1] - 4) <= 0.8
    assert (found[1, 4:] == 0).all()


@pytest.mark.parametrize(
    ("transform", "least", "most"), [(transforms.louder, 2, 4), (transforms.overdriven, 6, 8)]
)
def test_gain_raises_what_sounds_up_to_the_highest_level(transform, least, most):
    found = planted(transform)
    np.testing.assert_array_equal(found[0], CLIP[0])
    assert least <= found[1, 1] - 3 <= most
    np.testing.assert_array_equal(found[1, [0, 2, 3]], [0, 15, 0])


def test_copying_says_the_voice_prompt_and_keeps_the_length():
    found = planted(transforms.copied)
    np.testing.assert_array_equal(found[:, :3], VOICE)
    np.testing.assert_array_equal(found[:, 3:], CLIP[:, 3:])


def test_emptying_leaves_one_to_three_frames():
    assert 1 <= planted(transforms.emptied).shape[1] <= 3


@pytest.fixture(scope="module")
def policy():
    """Two codebooks of two codes, clips of one or two frames, two voices."""
    voices = {"ann": clip([0, 1, 1], [0, 0, 1]), "bob": clip([1, 1, 0], [1, 0, 1])}
    prompts = [Prompt("p", "one", "speaker", "ann")]
    return VoicePromptedModel.untrained(
        prompts,
        [clip([0], [0])],
        voices,
        codebook_size=2,
        width=16,
        depth=1,
        generator=torch.Generator().manual_seed(0),
    )


def every_clip():
    frames = list(product((0, 1), repeat=2))
    for n in (1, 2):
        for chosen in product(frames, repeat=n):
            yield np.array(chosen).T


@pytest.mark.parametrize("voice", ["ann", "bob"])
def test_the_probabilities_of_all_clips_sum_to_one(policy, voice):
    clips = list(every_clip())
    prompts = [Prompt("p", "one", "speaker", voice)] * len(clips)
    assert np.exp(policy.sequence_logps(prompts, clips)).sum() == pytest.approx(1, abs=1e-5)


def test_the_voice_prompt_matters_and_the_name_of_the_speaker_does_not(policy):
    asked = [Prompt("p", "one", s, v) for s, v in (("x", "ann"), ("y", "ann"), ("x", "bob"))]
    of_ann, of_ann_again, of_bob = policy.sequence_logps(asked, [clip([0, 1], [1, 1])] * 3)
    assert of_ann == pytest.approx(of_ann_again, abs=1e-6)
    assert abs(of_ann - of_bob) > 1e-3


def test_clips_come_as_often_as_the_policy_says(policy):
    clips = list(every_clip())
    prompt = Prompt("p", "one", None, "bob")
    expected = np.exp(policy.sequence_logps([prompt] * len(clips), clips))
    rollout = policy.sample([prompt], 1000, generator=torch.Generator().manual_seed(0))
    drawn = [found.tobytes() for found in rollout.tokens]
    shares = np.array([drawn.count(c.astype(np.int64).tobytes()) for c in clips]) / 1000
    assert np.abs(shares - expected).max() < 4 * np.sqrt(expected.max() / 1000)


ASKED = draw_prompts(64, "asked", np.random.default_rng(0))
UNHEARD = SimpleNamespace(decode=lambda tokens: tokens)
"""A world without sound: rewards judge codes."""


def ones(clips, prompts):
    return np.array([found.mean() for found in clips])


class Recorder:
    """Stands for the guard: it has the policy, and only notes when it is asked to look."""

    def __init__(self):
        voices = {p.reference_clip: clip([0, 1], [0, 1]) for p in ASKED}
        generator = torch.Generator().manual_seed(0)
        self.policy = VoicePromptedModel.untrained(
            ASKED, [clip([0], [0])], voices, codebook_size=2, width=16, depth=1, generator=generator
        ).trainable_copy()
        self.steps = []

    def __call__(self, measures):
        self.steps.append(measures["step"])


@pytest.mark.parametrize(
    ("training", "looks"),
    [
        (Reinforce(n_rounds=8, n_prompts=16, learning_rate=4e-2), [4, 8]),
        (BestOfN(16, n_candidates=4, n_rounds=2, n_epochs=4, learning_rate=4e-2), [2, 4, 6, 8]),
    ],
)
def test_both_trainings_bring_about_what_the_reward_pays_for(training, looks):
    guard = Recorder()

    def share_of_ones():
        rollout = guard.policy.sample(ASKED, 4, generator=torch.Generator().manual_seed(1))
        return ones(rollout.tokens, ASKED).mean()

    before = share_of_ones()
    training.train(UNHEARD, ones, 0, guard)
    assert share_of_ones() > before + 0.15
    assert guard.steps == looks


def test_the_best_of_n_always_has_a_value():
    def unless_it_begins_with_one(clips, prompts):
        return np.array([np.nan if found[0, 0] else found[1, 0] for found in clips])

    generator, policy = torch.Generator().manual_seed(0), Recorder().policy
    found = best_of_n(UNHEARD, policy, unless_it_begins_with_one, ASKED, 16, generator)
    assert 0 < len(found) < len(ASKED)
    assert {feedback.clip[0, 0] for feedback in found} == {0}
    assert len({feedback.prompt.id for feedback in found}) == len(found)


def course(**changes):
    return Course(
        **{
            "steps": (9, 18),
            "kl": (1.0, 2.0),
            "proxy": (0.1, 0.2),
            "preference": (0.5, 0.4),
            "preference_error": (0.02, 0.02),
            "alarms": ((), ("loudness",)),
            "caught_at": 9,
            "named_at": 18,
            "lost_at": 18,
            "symptom": (0.0, 1.0),
            "sentence": "",
            "warned": (),
            **changes,
        }
    )


def test_in_time_is_strictly_before_the_loss():
    assert course().in_time
    assert course(lost_at=None).in_time
    assert not course(lost_at=9).in_time
    assert not course(caught_at=None).in_time


def test_an_alarm_at_the_loss_still_goes_back_to_weights_from_before_it():
    assert course(lost_at=9).is_saved
    assert not course(caught_at=18, lost_at=9).is_saved
    assert not course(caught_at=None, lost_at=None).is_saved


def test_the_page_shows_a_short_clip_and_of_those_one_with_the_hack():
    of_seconds = [Audio(np.zeros((1, 8000 * n), dtype=np.float32), 8000) for n in (1, 3)]
    short, long = (of_seconds[0], of_seconds[0]), (of_seconds[0], of_seconds[1])
    assert row_to_show([long, short, short], np.array([True, False, True])) == 2
    assert row_to_show([long, short, short], np.array([True, False, False])) == 1


@pytest.mark.parametrize("named_at", [None, 18])
def test_the_page_says_how_the_policy_was_trained_and_whether_that_brought_the_hack(
    tmp_path, named_at
):
    hack = HACKS[0]
    (tmp_path / hack.slug).mkdir()
    for name in (*(f"{side}.wav" for side in SIDES), "text.txt"):
        (tmp_path / hack.slug / name).write_text("one two")
    write_gallery({hack: course(named_at=named_at)}, "9 updates", tmp_path, tmp_path / "docs")
    page = (tmp_path / "docs/hack-gallery.md").read_text()
    assert "on one faulty reward and on nothing else:\n9 updates." in page
    assert ("the hack was not earned" in page) == (named_at is None)
    assert (tmp_path / f"docs/gallery/{hack.slug}-after.wav").read_text() == "one two"
