from __future__ import annotations

import io
import re
import subprocess
import sys
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auralign.audio import quantise
from auralign.errors import StorageError
from auralign.report import (
    Check,
    ClipCard,
    Headline,
    PromptCard,
    ReportData,
    RewardCheck,
    VoteCount,
    Word,
    render_report,
    write_report,
)
from auralign.report.format import MISSING
from auralign.types import Audio, Prompt

NOTICE = "All listeners in this report are simulated: programs, not people."
VOID = {"meta", "link", "br", "img", "input", "hr"}
BLOCK = {"p", "div", "dl", "ol", "ul", "table", "figure", "section", "article", "h2", "h3", "h4"}


class Page(HTMLParser):
    """Every element with its attributes and text; an unbalanced tag fails at once."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not (tag in BLOCK and "p" in self.open), f"<{tag}> would end its paragraph"
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.text += data

    def all(self, tag: str, class_: str = "") -> list[dict[str, str]]:
        wanted = set(class_.split())
        return [
            a for t, a in self.elements if t == tag and wanted <= set(a.get("class", "").split())
        ]


def page(data: ReportData) -> Page:
    return Page(render_report(data))


def words(data: ReportData) -> str:
    return " ".join(page(data).text.split())


@pytest.fixture(scope="module")
def html(sample: ReportData) -> str:
    return render_report(sample)


def bare(**parts: object) -> ReportData:
    """A report with nothing in it but what the page cannot do without."""
    data = ReportData("Title", "Subtitle", "1 January 2030", False, "A verdict.")
    return replace(data, **parts)  # type: ignore[arg-type]


def clip(n_samples: int = 800, label: str = "before", **options: object) -> ClipCard:
    samples = 0.1 * np.random.default_rng(0).standard_normal((1, n_samples))
    return ClipCard(label, Audio(samples.astype(np.float32), 16_000), **options)  # type: ignore[arg-type]


def card(*clips: ClipCard, text: str = "one two", votes: tuple[VoteCount, ...] = ()) -> PromptCard:
    return PromptCard(Prompt("p", text), clips, votes)


def test_tags_are_balanced_and_the_page_has_a_language_and_a_title(html: str) -> None:
    parsed = Page(html)
    assert parsed.all("html") == [{"lang": "en"}]
    assert f"<title>{'Sample report'}" in html
    assert len(parsed.all("h1")) == 1


def test_nothing_is_loaded_from_outside(html: str) -> None:
    for tag, attributes in Page(html).elements:
        for name in ("src", "href", "action", "poster", "srcset"):
            value = attributes.get(name, "data:")
            assert value.startswith(("data:", "#")), f"<{tag} {name}={value[:40]}>"
    assert "url(" not in html
    assert "@import" not in html


def test_every_referenced_id_exists_once(html: str) -> None:
    elements = Page(html).elements
    ids = [a["id"] for _, a in elements if "id" in a]
    assert len(ids) == len(set(ids))
    wanted = [a["href"][1:] for _, a in elements if a.get("href", "").startswith("#")]
    wanted += [i for _, a in elements for i in a.get("aria-labelledby", "").split()]
    assert wanted
    assert set(wanted) <= set(ids)


def test_only_the_pages_own_script_may_run(html: str) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html


def test_players_hold_the_clips_in_order(sample: ReportData, html: str) -> None:
    clips = [clip for card in sample.prompts for clip in card.clips]
    players = Page(html).all("audio")
    assert len(players) == len(clips)
    for player, card in zip(players, clips, strict=True):
        wav = io.BytesIO(b64decode(player["src"].removeprefix("data:audio/wav;base64,")))
        decoded, rate = soundfile.read(wav, dtype="float32", always_2d=True)
        assert rate == card.audio.sample_rate
        np.testing.assert_array_equal(decoded.T, quantise(card.audio).samples)
        assert player["aria-label"] == card.label
        assert "controls" in player


def test_every_drawing_has_words(html: str) -> None:
    drawings = html.count("<svg ")
    assert drawings == 3 + 2 + 3 + 1  # clips, win rates and listeners, curves, scatter
    assert len(re.findall(r"<svg [^>]*><title>[^<]+</title><desc>[^<]+</desc>", html)) == drawings


def test_simulated_listeners_are_called_so_and_only_then(sample: ReportData) -> None:
    text = words(sample)
    assert text.count(NOTICE) == 2
    assert text.count("simulated listeners, not people") >= 8
    assert "simulated listeners 9 of 12 prefer" in text
    with_people = words(replace(sample, simulated=False))
    assert "simulated" not in with_people
    assert "listeners 9 of 12 prefer" in with_people


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "&lt;"]
)
def test_hostile_text_stays_text(hostile: str, sample: ReportData) -> None:
    data = replace(
        sample,
        title=hostile,
        verdict=hostile,
        prompts=(card(clip(label=hostile, heard=(Word(hostile),), note=hostile), text=hostile),),
        curves=(replace(sample.curves[0], title=hostile, x_label=hostile),),
    )
    parsed = page(data)
    assert len(parsed.all("script")) == 1
    assert not parsed.all("img")
    assert parsed.text.count(hostile) >= 6


def test_a_report_with_nothing_optional_is_a_page() -> None:
    parsed = page(bare())
    assert [a["href"] for a in parsed.all("a")] == ["#reading"]
    assert {a["id"] for a in parsed.all("section") if "id" in a} == {"reading"}
    assert "A verdict." in parsed.text


def test_missing_values_are_a_dash_with_their_reason(sample: ReportData) -> None:
    headline = words(bare(headlines=(Headline("Win rate", None, reason="no answers yet"),)))
    assert f"{MISSING}missing no answers yet" in headline
    reward = words(bare(reward=RewardCheck("alpha", None, None, None)))
    assert reward.count(f"{MISSING}missing not measured") == 4
    signals = words(bare(signals=sample.signals[-1:]))
    assert signals.count(f"{MISSING}missing") == 3
    assert "not measured no speaker model 0 of 40" in signals


def test_a_prompt_needs_neither_a_hack_clip_nor_votes_nor_a_transcript() -> None:
    parsed = page(bare(prompts=(card(clip(), clip(label="after")),)))
    assert len(parsed.all("audio")) == 2
    assert len(parsed.all("button", "switch")) == 1
    assert "heard as" not in parsed.text
    assert not parsed.all("ul", "votes")


def test_prompts_after_the_fourth_are_folded_away_and_load_no_player() -> None:
    parsed = page(bare(prompts=tuple(card(clip()) for _ in range(6))))
    assert "2 more prompts" in parsed.text
    assert [a["preload"] for a in parsed.all("audio")] == ["metadata"] * 4 + ["none"] * 2


def test_a_single_clip_has_nothing_to_switch_to() -> None:
    assert not page(bare(prompts=(card(clip()),))).all("button", "switch")


def test_an_empty_clip_is_named_and_has_no_player() -> None:
    parsed = page(bare(prompts=(card(clip(0), clip(label="after")),)))
    assert len(parsed.all("audio")) == 1
    assert "An empty clip" in parsed.text


def test_only_empty_clips_make_no_picture() -> None:
    assert not page(bare(prompts=(card(clip(0)),))).all("image")


def test_heard_words_are_marked_in_words_not_only_by_colour() -> None:
    heard = (Word("six", "wrong", "five"), Word("two"), Word("two", "extra"), Word("one", "missed"))
    text = words(bare(prompts=(card(clip(heard=heard)),)))
    assert "heard as six (for “five”) two two (extra) one (missed)" in text
    assert "heard as no words" in words(bare(prompts=(card(clip(heard=())),)))


def test_ties_are_said() -> None:
    votes = (VoteCount("after", "before", 7, 12, n_ties=2), VoteCount("after", "hack", 12, 12))
    text = words(bare(prompts=(card(clip(), clip(label="after"), votes=votes),)))
    assert "7 of 12 prefer after over before, 2 without a preference" in text
    assert "12 of 12 prefer after over hack" in text


def test_the_column_of_the_hacked_run_is_there_only_with_such_a_run(sample: ReportData) -> None:
    assert "Without anchor" in words(replace(sample, prompts=()))
    alone = tuple(replace(s, hacked=None) for s in sample.signatures)
    text = words(replace(sample, prompts=(), signatures=alone))
    assert "Without anchor" not in text
    assert "Aligned run" in text


def test_verdicts_are_words(sample: ReportData) -> None:
    signature = replace(sample.signatures[0], aligned=Check(1.0, "WARN", "Close to the limit."))
    assert "WARN 1.00 Close to the limit." in words(bare(signatures=(signature,)))


def test_twelve_prompts_of_three_clips_stay_under_six_megabytes() -> None:
    clips = tuple(clip(24_000, label) for label in ("before", "after", "hack"))
    html = render_report(bare(prompts=tuple(card(*clips) for _ in range(12))))
    assert html.count("<audio ") == 36
    assert len(html.encode()) < 6e6


def test_the_page_is_a_function_of_its_data(sample: ReportData, html: str) -> None:
    assert render_report(sample) == html


def test_write_report_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(bare(), path)
    assert path.read_text("utf-8") == render_report(bare())
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_a_page_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"report\.html"):
        write_report(bare(), tmp_path / "file" / "report.html")


def test_the_report_needs_neither_torch_nor_matplotlib() -> None:
    code = "import sys, auralign.report; print({'torch', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
