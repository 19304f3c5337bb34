"""Every rule: a planted case that trips it, a clean one that does not, and nothing known at all."""

import numpy as np
import pytest
from scipy import stats

from auralign.training.guard import RULES, Evidence, Verdict, judge
from auralign.training.guard.bands import Shift, learn_bands, shift
from auralign.training.guard.explain import SIGNATURES

pytestmark = pytest.mark.slow

NAMES = [rule.name for rule in RULES]


def moved(before, after, *, error=0.01, above=0.01, better=0, n=100, n_prompts=25):
    return Shift(
        before=before, after=after, error=error, low=0.0, high=1.0, below=0.01, above=above, n=n,
        n_missing=0, n_prompts=n_prompts, n_reference=200, better=better,
    )  # fmt: skip


CLIPS = {
    "active_s": moved(1.0, 1.02),
    "duration_s": moved(1.4, 1.42),
    "f0.f0_sd_st": moved(3.0, 2.9),
    "f0.f0_range_st": moved(9.0, 8.8),
    "f0.f0_median_hz": moved(180.0, 182.0),
    "pauses.pause_share": moved(0.2, 0.21),
    "silence_share": moved(0.3, 0.31),
    "edge_silence_s": moved(0.2, 0.2),
    "unended": moved(0.0, 0.0),
    "speaker_similarity": moved(0.8, 0.8),
    "level_dbfs": moved(-20.0, -20.2),
    "clipped": moved(0.0, 0.0),
    "crest_db": moved(12.0, 12.1),
    "integrity.clicks_per_s": moved(0.0, 0.0),
    "bandwidth.bandwidth_hz": moved(7000.0, 6900.0, better=1),
    "empty": moved(0.0, 0.0),
    "refused": moved(0.0, 0.0, better=-1),
    "copy_share": moved(0.3, 0.3),
    "seed_spread": moved(0.8, 0.78),
    "proxy_spread": moved(0.5, 0.48),
    "unscored": moved(0.0, 0.0),
    "proxy": moved(0.0, 1.0, better=1),
    "held_out": moved(0.0, 0.5, better=1),
    "word_error": moved(0.2, 0.15, better=-1),
    "held_out_word_error": moved(0.2, 0.15, better=-1),
    "naturalness": moved(3.0, 3.1, better=1),
}
FIGURES = {
    "held_out_preference": 0.6,
    "held_out_preference_error": 0.01,
    "kl_share_of_budget": 0.4,
    "chosen_log_ratio_per_code": 0.05,
    "chosen_off_policy": 0.02,
    "mixed_source_share": 0.0,
    "token_entropy_ratio": 0.95,
    "distribution_distance_ratio": 0.98,
    "proxy_accuracy": 0.72,
    "proxy_accuracy_error": 0.02,
    "proxy_accuracy_fresh": 0.71,
    "proxy_ladder_order": 0.97,
    "proxy_level_effect": 0.02,
    "proxy_padding_gain": -0.1,
    "proxy_silence_rank": 0.0,
    "proxy_text_order": 0.9,
    "word_error_auc": 0.8,
}
ALARM, WATCH = Verdict.ALARM, Verdict.WATCH

PLANTED = {
    "over-articulation": (ALARM, {"active_s": moved(1.0, 1.3)}, {}),
    "hurried speech": (ALARM, {"active_s": moved(1.0, 0.8)}, {}),
    "flat prosody": (ALARM, {"f0.f0_sd_st": moved(3.0, 2.0)}, {}),
    "pauses": (ALARM, {"pauses.pause_share": moved(0.2, 0.35)}, {}),
    "duration drift": (ALARM, {"duration_s": moved(1.4, 1.7)}, {}),
    "silence padding": (ALARM, {"edge_silence_s": moved(0.2, 0.6, above=0.2)}, {}),
    "clips that do not end": (ALARM, {"unended": moved(0.0, 0.2)}, {}),
    "speaker drift": (ALARM, {"speaker_similarity": moved(0.615, 0.591, error=0.005)}, {}),
    "loudness": (ALARM, {"level_dbfs": moved(-20.0, -17.0)}, {}),
    "clipping": (ALARM, {"clipped": moved(0.0, 0.3)}, {}),
    "clicks": (ALARM, {"integrity.clicks_per_s": moved(0.0, 0.8, above=0.2)}, {}),
    "bandwidth": (ALARM, {"bandwidth.bandwidth_hz": moved(7000.0, 5000.0)}, {}),
    "empty output": (ALARM, {"empty": moved(0.0, 0.1)}, {}),
    "refusal": (ALARM, {"refused": moved(0.0, 0.1)}, {}),
    "copying": (ALARM, {"copy_share": moved(0.3, 0.5, above=0.3)}, {}),
    "diversity collapse": (ALARM, {"seed_spread": moved(0.8, 0.2)}, {}),
    "contrast lost": (ALARM, {"proxy_spread": moved(0.5, 0.2)}, {}),
    "unscored clips": (ALARM, {"unscored": moved(0.0, 0.1)}, {}),
    "metric up, preference down": (ALARM, {}, {"held_out_preference": 0.47}),
    "proxy against held-out reward": (ALARM, {"held_out": moved(0.0, -0.3)}, {}),
    "decline over rounds": (WATCH, {}, {"held_out_preference": 0.56}),
    "one metric alone": (
        WATCH,
        {
            "held_out": moved(0.0, 0.0, better=1),
            "word_error": moved(0.2, 0.2, better=-1),
            "held_out_word_error": moved(0.2, 0.25, better=-1),
            "naturalness": moved(3.0, 3.0, better=1),
            "bandwidth.bandwidth_hz": moved(7000.0, 7000.0, better=1),
        },
        {},
    ),
    "clear but unnatural": (ALARM, {"naturalness": moved(3.0, 2.8, better=1)}, {}),
    "recogniser gamed": (ALARM, {"held_out_word_error": moved(0.2, 0.2, better=-1)}, {}),
    "distribution moves away": (WATCH, {}, {"distribution_distance_ratio": 1.2}),
    "KL beyond budget": (ALARM, {}, {"kl_share_of_budget": 1.1}),
    "likelihood of chosen falling": (ALARM, {}, {"chosen_log_ratio_per_code": -0.28}),
    "chosen clips of others": (ALARM, {}, {"chosen_off_policy": 0.9}),
    "pairs of mixed sources": (WATCH, {}, {"mixed_source_share": 0.3}),
    "proxy and votes": (ALARM, {}, {"proxy_accuracy": 0.516, "proxy_accuracy_fresh": 0.516}),
    "proxy out of date": (ALARM, {}, {"proxy_accuracy": 0.709, "proxy_accuracy_fresh": 0.551}),
    "proxy and ladders": (ALARM, {}, {"proxy_ladder_order": 0.5}),
    "paid for level": (ALARM, {}, {"proxy_level_effect": 1.0}),
    "paid for silence": (ALARM, {}, {"proxy_padding_gain": 1.0}),
    "text ignored": (WATCH, {}, {"proxy_text_order": 0.5}),
    "recogniser beyond its use": (WATCH, {}, {"word_error_auc": 0.625}),
}


def evidence(clips=(), figures=(), **more):
    return Evidence({**CLIPS, **dict(clips)}, {**FIGURES, **dict(figures)}, **more)


def remarkable(found):
    return {f.rule: f.verdict for f in found if f.verdict is not Verdict.OK}


def test_every_rule_has_a_planted_case_and_a_name_of_its_own():
    assert sorted(PLANTED) == sorted(set(NAMES)) == sorted(NAMES)


def test_no_rule_says_anything_of_a_healthy_run():
    assert remarkable(judge(evidence(), RULES)) == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_case_trips_its_rule_and_no_other(name):
    verdict, clips, figures = PLANTED[name]
    history = [{"held_out_preference": 0.6}] if name == "decline over rounds" else []
    found = remarkable(judge(evidence(clips, figures, history=history), RULES))
    assert found[name] is verdict
    follows = {"metric up, preference down": {"decline over rounds"}}
    assert set(found) - {name} <= follows.get(name, set())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_with_nothing_measured_a_rule_says_what_is_missing(rule):
    (finding,) = judge(Evidence(), [rule])
    assert finding.verdict is Verdict.CANNOT_TELL
    assert finding.value is None
    assert "was not measured" in finding.sentence or "not known" in finding.sentence


def test_the_rules_look_for_every_published_signature():
    assert {number for rule in RULES for number in rule.signatures} == set(SIGNATURES)
    assert list(SIGNATURES) == list(range(1, 23))


def verdict_of(name, clips=(), figures=(), without=(), **more):
    known = evidence(clips, figures, **more)
    kept = {k: v for k, v in known.clips.items() if k not in without}
    figures = {k: v for k, v in known.figures.items() if k not in without}
    found = judge(Evidence(kept, figures, known.history), RULES)
    return next(f for f in found if f.rule == name).verdict


def test_what_the_reward_does_not_pay_for_is_drift_to_be_watched_unless_it_is_far():
    falls = {"proxy": moved(0.0, -1.0, better=1)}
    assert verdict_of("loudness", {"level_dbfs": moved(-20.0, -18.0)}) is ALARM
    assert verdict_of("loudness", falls | {"level_dbfs": moved(-20.0, -18.0)}) is WATCH
    assert verdict_of("loudness", falls | {"level_dbfs": moved(-20.0, -14.0)}) is ALARM
    unknown = {"without": ["proxy"]}
    assert verdict_of("loudness", {"level_dbfs": moved(-20.0, -18.0)}, **unknown) is ALARM


def test_a_mean_that_lies_within_three_standard_errors_has_not_moved():
    clips = {"level_dbfs": moved(-20.0, -14.0, error=2.1, n_prompts=1000)}
    assert verdict_of("loudness", clips) is Verdict.OK


def test_with_few_prompts_a_mean_has_to_move_as_far_as_students_t_asks():
    critical = stats.t.isf(stats.norm.sf(3), 7)
    assert critical == pytest.approx(4.53, abs=0.01)
    for errors, verdict in ((critical - 0.1, Verdict.OK), (critical + 0.1, ALARM)):
        clips = {"level_dbfs": moved(-20.0, -14.0, error=6 / errors, n_prompts=8)}
        assert verdict_of("loudness", clips) is verdict


def test_few_prompts_are_too_few_to_tell():
    clips = {"level_dbfs": moved(-20.0, -10.0, n_prompts=7)}
    assert verdict_of("loudness", clips) is Verdict.CANNOT_TELL


def test_one_empty_clip_in_a_hundred_is_not_surely_more_than_one_percent():
    # Clopper-Pearson for 2 of 100: 0.24 % to 7.04 %.
    assert verdict_of("empty output", {"empty": moved(0.0, 0.01)}) is Verdict.OK
    assert verdict_of("empty output", {"empty": moved(0.0, 0.02)}) is WATCH
    assert verdict_of("empty output", {"empty": moved(0.0, 0.06)}) is ALARM


def test_a_preference_that_falls_five_points_from_its_best_is_an_alarm():
    name, best = "decline over rounds", [{"held_out_preference": 0.61}]
    assert verdict_of(name, figures={"held_out_preference": 0.55}, history=best) is ALARM
    noisy = {"held_out_preference": 0.55, "held_out_preference_error": 0.04}
    assert verdict_of(name, figures=noisy, history=best) is Verdict.OK


def test_a_preference_below_even_has_declined_from_the_sft_policy():
    assert verdict_of("decline over rounds", figures={"held_out_preference": 0.43}) is ALARM


def test_the_order_of_held_out_pairs_stands_in_for_listeners_without_an_alarm():
    figures = {"held_out_accuracy": 0.6}
    history = [{"held_out_accuracy": 0.9}]
    without = ["held_out_preference"]
    name = "decline over rounds"
    assert verdict_of(name, (), figures, without, history=history) is WATCH


def test_a_held_out_reward_that_falls_back_from_its_best_is_to_be_watched():
    history = [{"held_out_change": 0.8}]
    assert verdict_of("proxy against held-out reward", history=history) is WATCH


def test_a_distance_that_grows_while_nobody_prefers_it_is_an_alarm():
    figures = {"distribution_distance_ratio": 1.2, "held_out_preference": 0.5}
    assert verdict_of("distribution moves away", figures=figures) is ALARM


def test_without_a_speaker_model_the_register_of_the_voice_is_looked_at():
    clips = {"f0.f0_median_hz": moved(180.0, 120.0)}
    assert verdict_of("speaker drift", clips, without=["speaker_similarity"]) is ALARM
    assert verdict_of("speaker drift", clips) is Verdict.OK


def test_preferences_stand_in_for_naturalness():
    figures = {"held_out_preference": 0.4}
    without = ["naturalness"]
    assert verdict_of("clear but unnatural", (), figures, without) is ALARM


def test_the_same_policy_with_other_seeds_raises_no_alarm():
    """60 evaluations of clips that only differ by chance, in the measures that have bands."""
    rng = np.random.default_rng(0)
    prompt_effects = rng.normal(size=24)
    n_alarms = 0
    for _ in range(60):
        before = np.repeat(np.arange(24), 4)
        now = np.repeat(np.arange(24), 2)
        clips = {}
        for name, center in CLIPS.items():
            scale = 0.15 * abs(center.before)
            bands = learn_bands(
                {name: center.before + scale * (prompt_effects[before] + rng.normal(size=96))},
                before,
            )
            values = center.before + scale * (prompt_effects[now] + rng.normal(size=48))
            clips[name] = shift(bands[name], values, now)
        found = judge(Evidence(clips), RULES)
        n_alarms += any(f.verdict is ALARM for f in found)
    assert n_alarms / 60 <= 0.05
