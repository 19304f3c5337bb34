from __future__ import annotations

import json

import pytest

from auralign.files import to_json
from auralign.report import ReportData, SignalChange
from auralign.report.records import Direction
from auralign.types import Estimate


def signal(direction: Direction, low: float, high: float) -> SignalChange:
    difference = Estimate((low + high) / 2, low, high, 0.95, 40, 40, "bootstrap over prompts")
    return SignalChange("s", "dB", direction, 1.0, 2.0, difference, 40, 40)


@pytest.mark.parametrize(
    ("direction", "low", "high", "words"),
    [
        ("higher", 0.1, 0.5, "clearly better"),
        ("higher", -0.5, -0.1, "clearly worse"),
        ("lower", -0.5, -0.1, "clearly better"),
        ("lower", 0.1, 0.5, "clearly worse"),
        ("target", 0.1, 0.5, "clearly higher"),
        ("descriptive", -0.5, -0.1, "clearly lower"),
        ("higher", -0.1, 0.5, "no clear change"),
        ("lower", 0.0, 0.5, "no clear change"),
    ],
)
def test_a_change_is_clear_only_where_the_interval_excludes_zero(
    direction: Direction, low: float, high: float, words: str
) -> None:
    assert signal(direction, low, high).change == words


def test_a_difference_that_was_not_measured_is_no_change_at_all() -> None:
    assert SignalChange("s", "", "higher", None, None, None, 0, 9).change == "not measured"


def test_clips_of_a_prompt_share_the_longest_time_axis(sample: ReportData) -> None:
    card = sample.prompts[0]
    assert card.longest_s == max(clip.audio.duration_s for clip in card.clips)


def test_everything_but_the_sound_is_plain_data(sample: ReportData) -> None:
    silent = [[clip.label for clip in card.clips] for card in sample.prompts]
    again = json.loads(to_json({"stages": sample.stages, "clips": silent, "reward": sample.reward}))
    assert again["stages"][0]["name"] == sample.stages[0].name
    assert again["reward"]["ceiling"]["n_clusters"] == 40
