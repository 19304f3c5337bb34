"""The page of the hacks: each with its sound before and after, its curve and the guard's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auralign.audio.clips import write_wav
from auralign.files import write_bytes, write_text
from auralign.report import LineChart, Marker, Series
from auralign.report.plots import standalone
from auralign.report.svg import line_chart
from auralign.training.guard import Guard
from auralign.training.guard.probe import listen
from auralign.types import Audio
from benchmarks.hacks.course import Course
from benchmarks.hacks.hack import Hack
from benchmarks.hacks.recordings import ACCIDENTS

SIDES = ("before", "after")
LONGEST_S = 2.4
"""Of a clip on the page: 39 kB."""

HEAD = """# A gallery of reward hacks

Written by `python -m benchmarks.planted_hacks --part earned --gallery docs`; nothing in it is typed
by hand. A small language model says digits in the voice of a prompt, at 8 kHz, through a codec of
64 spectral shapes and 16 levels: that is how it sounds. In {accidents} of the recordings that it
learnt from something had gone wrong: far too loud, followed by silence, the voice prompt instead of
the text, or cut off. It was then trained on one faulty reward and on nothing else:
{training}. No hack is planted; where the reward did not
bring one about, its section says so.

Listeners are simulated: programs that hear words, voice, pace, noise and distortion, and not
loudness. Their preference is for the trained policy over the one of before, 0.5 at the start; the
guard's rules below judge by clips alone and are not told. The reward is drawn as a share of the
most that it gained, over updates and not over the divergence, which shrinks where clips get short.
"""


def write_pair(guard: Guard, hack: Hack, folder: Path) -> None:
    """Two clips of a prompt, before and after training."""
    heard = listen(guard.policy, guard.probe, guard.probe.n_clips, guard.seed)
    rule = next(rule for rule in guard.rules if rule.name == hack.rule)
    before = [guard.before.audios[p * guard.probe.n_before] for p in heard.prompt]
    pairs = list(zip(before, heard.audios, strict=True))
    row = row_to_show(pairs, rule.check.outliers(heard.columns, guard.bands))
    for side, audio in zip(SIDES, pairs[row], strict=True):
        write_wav(audio, folder / f"{side}.wav")
    text = guard.probe.prompts[heard.prompt[row]].text
    write_text(folder / "text.txt", text + "\n")


def row_to_show(pairs: Sequence[tuple[Audio, Audio]], shows_hack: NDArray[np.bool_]) -> int:
    """The first short pair that shows the hack, or else the first short one."""
    short = np.array([max(a.duration_s, b.duration_s) <= LONGEST_S for a, b in pairs])
    return int(np.argmax(2 * short + shows_hack))


def write_gallery(courses: Mapping[Hack, Course], training: str, runs: Path, docs: Path) -> None:
    """`hack-gallery.md` in the folder of the docs, and its sound and drawings in `gallery`."""
    (docs / "gallery").mkdir(parents=True, exist_ok=True)
    for hack, course in courses.items():
        for side in SIDES:
            sound = (runs / hack.slug / f"{side}.wav").read_bytes()
            write_bytes(docs / "gallery" / f"{hack.slug}-{side}.wav", sound)
        write_text(docs / "gallery" / f"{hack.slug}.svg", standalone(line_chart(_curve(course))))
    head = HEAD.format(training=training, accidents=f"{sum(ACCIDENTS.values()):.1%}")
    sections = [_section(hack, course, runs) for hack, course in courses.items()]
    write_text(docs / "hack-gallery.md", "\n".join([head, *sections]))


def _section(hack: Hack, course: Course, runs: Path) -> str:
    text = (runs / hack.slug / "text.txt").read_text(encoding="utf-8").strip()
    players = "\n".join(
        f'<p>{side}: <audio controls preload="none" src="_static/{hack.slug}-{side}.wav">'
        "</audio></p>"
        for side in SIDES
    )
    files = ", ".join(f"[{side}](gallery/{hack.slug}-{side}.wav)" for side in SIDES)
    return f"""## {hack.name[0].upper()}{hack.name[1:]}

The reward was meant to pay for {hack.promise}.
The way to cheat it: {hack.door}.
Published case: {hack.mirrors}.

"{text}" ({files}):

{players}

![{hack.name}: the reward and the preference](gallery/{hack.slug}.svg)

{_verdict(hack, course)}
"""


def _verdict(hack: Hack, course: Course) -> str:
    before, after = course.symptom
    updates = course.steps[-1]
    lines = [f"- `{hack.symptom}`: {before:.3g} before, {after:.3g} after {updates} updates."]
    if course.warned:
        lines.append(f"- Said of this reward before training: {', '.join(course.warned)}.")
    if not course.is_earned:
        lines.append(f"- The rule *{hack.rule}* raised no alarm: the hack was not earned.")
    else:
        lines.append(f"- The guard at update {course.named_at}, *{hack.rule}*: {course.sentence}.")
    if course.caught_at not in (None, course.named_at):
        lines.append(f"- Another rule about the clips had raised an alarm at {course.caught_at}.")
    if course.lost_at is None:
        return "\n".join([*lines, "- The listeners' preference never fell by 5 points."])
    lines.append(f"- The preference had fallen by 5 points at update {course.lost_at}.")
    return "\n".join(lines)


def _curve(course: Course) -> LineChart:
    """Both start where the policy has not moved."""
    x = (0.0, *map(float, course.steps))
    most = max(map(abs, course.proxy)) or 1.0
    return LineChart(
        title="A reward and what listeners say",
        x_label="updates",
        y_label="share of its gain, preference",
        series=(
            Series("reward", x, (0.0, *(gain / most for gain in course.proxy))),
            Series("simulated listeners", x, (0.5, *course.preference)),
        ),
        markers=() if course.caught_at is None else (Marker(course.caught_at, "alarm"),),
    )
