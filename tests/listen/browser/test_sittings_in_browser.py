"""Every type of test goes from the consent page to the code, with sound, by touch and by key."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHECKLIST = [
    {"id": "all_words", "question": "Are all words there?"},
    {"id": "no_noise", "question": "Is it free of noise?"},
]
TYPES = {
    "ab_tie": {"type": "ab", "tie": True},
    "ab_both_bad": {"type": "ab", "both_bad": True},
    "abx": {"type": "abx"},
    "acr": {"type": "acr"},
    "arena": {"type": "arena"},
    "best_worst": {"type": "best_worst", "set_size": 3},
    "checklist": {"type": "checklist", "dimensions": CHECKLIST},
    "cmos": {"type": "cmos"},
    "dcr": {"type": "dcr"},
    "dialogue": {"type": "dialogue", "speaker": "Speaker B"},
    "multi_stimulus": {"type": "multi_stimulus"},
    "mushra": {"type": "mushra"},
    "mushra_nmr": {"type": "mushra", "named_reference": False, "guidelines": "detailed"},
    "p835": {"type": "p835"},
    "ranking": {"type": "ranking"},
    "thumbs": {"type": "thumbs"},
}
# Clips are noise of 0.17 RMS, brought to -30 LUFS.
AUDIBLE = 0.005


@pytest.mark.parametrize("name", TYPES)
def test_by_touch_on_a_phone(name, serve_test, by_touch, stored, audit):
    study, url = serve_test(TYPES[name], design={"trials": 1})
    by_touch.begin(url)
    assert audit(by_touch.page) == []
    assert by_touch.page.evaluate("document.documentElement.scrollWidth") == 320
    levels = by_touch.take_test()
    assert min(levels) > AUDIBLE
    assert by_touch.page.locator("#code").inner_text()
    _check_everything_is_stored(stored(study), 1)


@pytest.mark.parametrize("name", TYPES)
def test_by_keyboard_at_a_desk(name, serve_test, by_key, stored):
    study, url = serve_test(TYPES[name], design={"trials": 2})
    by_key.begin(url)
    levels = by_key.take_test()
    assert min(levels) > AUDIBLE
    assert by_key.page.locator("#code").inner_text()
    _check_everything_is_stored(stored(study), 2)


def _check_everything_is_stored(answers, n_trials):
    assert len(answers) == n_trials
    for _, heard in answers:
        assert min(clip["share"] for clip in heard["clips"]) > 0.9
        assert sorted(heard["first_plays"]) == list(range(len(heard["clips"])))
