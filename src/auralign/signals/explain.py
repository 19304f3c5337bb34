"""What the registry says, in words: rows for a listing, a signal as text, the page of the docs."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Sequence
from typing import Any

from auralign.signals.licences import restrictive_licence
from auralign.signals.registry import find, measure_name, options_of, sets, signals
from auralign.signals.signal import Direction, Measure, Requirement, Signal

_WIDTH = 80
_INTRODUCTION = """\
# Signals: what a program can say about a clip

No measure agrees with listeners everywhere, so several are read together, each where it is valid.
`auralign score` asks them about many clips; every value has a status, `ok`, `skipped:<reason>` or
`failed:<reason>`, and every mean says how many clips it is over.

```sh
.venv/bin/auralign score CLIPS --signals offline --out scores.jsonl
.venv/bin/auralign score --explain stoi
```

This page is made from the registry by `auralign.signals.explain.page`.
"""
_GATE = """\
## The gate

In front of every signal stands one gate. What it refuses is skipped with one of these reasons, and
is never given a number:

| reason | what is refused |
| --- | --- |
| `NaN or infinite samples` | a clip, or a reference, with one such sample |
| `no samples` | an empty clip |
| `samples are int16, not floating-point` | integers, whose scale cannot be known |
| `samples are not [channels, time] ...` | arrays that lie the other way around |
| `digital silence` | every sample is zero in 16 bits, in what the signal hears |
| `shorter than X s`, `longer than X s` | a clip beyond the limits of the signal |
| `needs ...` | a clip without the reference, text or label that the signal compares it with |
| `the reference: ...` | a reference that the gate refuses for one of the reasons above |
| `the reference has another length` | to the sample; by more than rounding where rates differ |
| `the reference has another sample rate` | for signals of any rate, which resample nothing |
| `the reference has another number of channels` | for signals that keep channels apart |

A clip at another rate than the signal declares is resampled (soxr, high quality); its results say
which rate its file had. An answer that is NaN, infinite or outside of the declared range has the
status `failed`.
"""


def listing() -> list[dict[str, Any]]:
    """One record for each signal, with everything that the registry says about it."""
    return [record(signal) for signal in signals().values()]


def record(signal: Signal) -> dict[str, Any]:
    """What the registry says about a signal, as plain data."""
    return {
        "name": signal.name,
        "version": signal.version,
        "summary": signal.summary,
        "sets": [name for name, members in sets().items() if signal.name in members],
        "measures": [_measure(signal, measure) for measure in signal.measures],
        "requires": _requires(signal),
        "options": {name: _plain(value) for name, value in options_of(signal).items()},
        "sample_rate": signal.sample_rate,
        "shortest_s": signal.shortest_s,
        "longest_s": signal.longest_s,
        "channels": signal.channels,
        "rejects_silence": signal.rejects_silence,
        "deterministic": signal.deterministic,
        "batchable": signal.batchable,
        "device": signal.device,
        "extra": signal.extra,
        "code_licence": signal.code_licence,
        "weights_licence": signal.weights_licence,
        "restrictive_licence": restrictive_licence(signal),
        "download_bytes": signal.download_bytes,
        "validity": list(signal.validity),
        "failures": list(signal.failures),
        "ladders": dict(signal.ladders),
    }


def explain(name: str) -> str:
    """What a signal measures, needs, takes and gets wrong; ConfigError for an unknown name."""
    signal = find(name)
    options = ", ".join(f"{key}={_plain(v)!r}" for key, v in options_of(signal).items())
    blocks = [
        _filled(f"{signal.name}({options})  version {signal.version}"),
        textwrap.fill(signal.summary, _WIDTH),
        "\n".join(_measure_line(signal, measure) for measure in signal.measures),
        "\n".join(_facts(signal)),
        _list(
            "Agreement with people",
            [f"{v.domain}: {v.figure} ({v.source})" for v in signal.validity],
        ),
        _list("Known failures", signal.failures),
        _list("Degradations", _ladder_lines(signal)),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def page() -> str:
    """The page of the docs, in Markdown."""
    groups = [_group(name, members) for name, members in sets().items() if members]
    grouped = {name for members in sets().values() for name in members}
    others = tuple(name for name in signals() if name not in grouped)
    groups += [_group("others", others)] if others else []
    each = [f"### {name}\n\n```text\n{explain(name)}```\n" for name in signals()]
    return "\n".join([_INTRODUCTION, _GATE, *groups, "## One by one\n", *each])


def _filled(text: str) -> str:
    return textwrap.fill(text, _WIDTH, subsequent_indent="    ", break_long_words=False)


def _group(name: str, members: tuple[str, ...]) -> str:
    """A heading for a set and the table of its signals."""
    words = _SETS.get(name, f"`pip install 'auralign[{name}]'`")
    head = (
        "| signal | what it says | measures | needs | speaks about |\n"
        "| --- | --- | --- | --- | --- |\n"
    )
    return f"## {name}\n\n{words}\n\n{head}{''.join(_row(find(member)) for member in members)}"


_SETS = {
    "offline": "Nothing is fetched and no extra is needed: `--signals offline`.",
    "set-level": "About a set of clips and no single one: `signals.set_level.compare_sets`.",
    "others": "Of other packages; to be named one by one.",
}


def _row(signal: Signal) -> str:
    dimensions = dict.fromkeys(d for measure in signal.measures for d in measure.dimensions)
    cells = [
        f"[`{signal.name}`](#{signal.name})",
        signal.summary,
        ", ".join(f"`{measure.name}`" for measure in signal.measures[:_SHOWN])
        + (f" and {len(signal.measures) - _SHOWN} more" if len(signal.measures) > _SHOWN else ""),
        "; ".join(_requires(signal)) or "nothing else",
        ", ".join(dimension.replace("_", " ") for dimension in dimensions) or "none",
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


_SHOWN = 6


def _requires(signal: Signal) -> list[str]:
    """In the order of the table of requirements, so that pages do not change by chance."""
    return [str(each) for each in Requirement if each in signal.requires]


def _measure(signal: Signal, measure: Measure) -> dict[str, Any]:
    return {
        "name": measure_name(signal.name, measure.name),
        "unit": measure.unit,
        "direction": str(measure.direction),
        "dimensions": list(measure.dimensions),
        "range": [measure.low, measure.high],
        "target": measure.target and list(measure.target),
    }


def _measure_line(signal: Signal, measure: Measure) -> str:
    unit = f" [{measure.unit}]" if measure.unit else ""
    better = {
        Direction.MAX: "more is better",
        Direction.MIN: "less is better",
        Direction.TARGET: "best from {:g} to {:g}".format(*(measure.target or (0, 0))),
        Direction.DESCRIPTIVE: "describes, does not judge",
    }[measure.direction]
    about = ", ".join(measure.dimensions).replace("_", " ")
    name = measure_name(signal.name, measure.name)
    line = f"{name}{unit}: {better}, {_range(measure)}{'; ' + about if about else ''}"
    return _filled(line)


def _range(measure: Measure) -> str:
    low, high = measure.low, measure.high
    if low is None and high is None:
        return "any value"
    if low is None or high is None:
        return f"at least {low:g}" if low is not None else f"at most {high:g}"
    return f"{low:g} to {high:g}"


def _facts(signal: Signal) -> list[str]:
    rate = "any rate" if signal.sample_rate is None else f"{signal.sample_rate} Hz"
    longest = "" if signal.longest_s is None else f" to {signal.longest_s:g} s"
    heard = "mean over channels" if signal.channels == "mono" else "channels as they are"
    facts = {
        "needs": "; ".join(_requires(signal)) or "nothing but the clip",
        "hears": f"{rate}, {heard}, from {signal.shortest_s:g} s{longest}"
        + (", no silence" if signal.rejects_silence else ", silence too"),
        "runs": f"{'in batches' if signal.batchable else 'clip by clip'}, "
        f"{'on any device' if signal.device == 'any' else 'on the CPU'}, "
        + ("the same every time" if signal.deterministic == "exact" else "by its option `seed`"),
        "installed by": f"auralign[{signal.extra}]" if signal.extra else "auralign",
        "licence": signal.code_licence
        + (f", weights {signal.weights_licence}" if signal.weights_licence else ""),
        "fetches": _bytes(signal.download_bytes),
    }
    return [
        textwrap.fill(f"{key + ':':<14}{text}", _WIDTH, subsequent_indent=" " * 14)
        for key, text in facts.items()
    ]


def _bytes(n: int) -> str:
    return f"{n / 1e6:.0f} MB" if n else "nothing"


def _ladder_lines(signal: Signal) -> list[str]:
    holds = [family for family, right in signal.ladders.items() if right]
    fails = [family for family, right in signal.ladders.items() if not right]
    return [
        *([f"orders rightly: {', '.join(holds)}"] if holds else []),
        *([f"orders wrongly: {', '.join(fails)}"] if fails else []),
    ]


def _list(title: str, lines: Sequence[str]) -> str:
    points = [textwrap.fill(f"- {line}", _WIDTH, subsequent_indent="  ") for line in lines]
    return "\n".join([f"{title}:", *points]) if points else ""


def _plain(value: Any) -> Any:
    return "REQUIRED" if value is inspect.Parameter.empty else value
