"""The judgements of a study that one analysis is about."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from auralign.data import StudyFolder
from auralign.errors import ConfigError, DataError, did_you_mean
from auralign.types import Clip, Judgement, Outcome, Source, TrialProtocol

ItemKind = Literal["system", "clip"]

PROTOCOLS = tuple(str(protocol) for protocol in TrialProtocol)


@dataclass(frozen=True, eq=False)
class Selection:
    """One dimension and protocol of a study; items are systems or clips.

    folder         the study that it is from
    clips          of the whole study, by id
    descriptive    the dimension describes and does not judge: more of it is not better
    skipped        answers that were skips and are left out of `judgements`
    warnings       sentences about what was left out
    """

    folder: StudyFolder
    study: str
    simulated: bool
    dimension: str
    descriptive: bool
    protocol: TrialProtocol
    item: ItemKind
    clips: Mapping[str, Clip]
    has_audio: bool
    judgements: tuple[Judgement, ...]
    skipped: int
    warnings: tuple[str, ...]

    def item_of(self, clip_id: str) -> str:
        """The system or the id of a clip."""
        return self.clips[clip_id].system if self.item == "system" else clip_id

    def items(self, judgement: Judgement) -> tuple[str, ...]:
        """The items that a judgement is about, as presented."""
        return tuple(self.item_of(candidate.clip_id) for candidate in judgement.candidates)

    @property
    def n_raters(self) -> int:
        return len({j.rater for j in self.judgements})

    @property
    def n_prompts(self) -> int:
        return len({j.prompt_id for j in self.judgements})

    @property
    def raters_repeat(self) -> bool:
        """False when every rater answered once, as where who answered is not known."""
        return self.n_raters < len(self.judgements)


def select_judgements(
    study: str | os.PathLike[str],
    dimension: str,
    *,
    item: ItemKind = "system",
    protocol: str | None = None,
    condition: str | None = None,
) -> Selection:
    """The answers of the study folder at `study` on one dimension.

    `protocol` may be left out where the study used one; of several, comparisons come before
    rankings before ratings. `condition` keeps the prompts that have it. Raises DataError, with
    what there is, when nothing is left, ConfigError for an unknown option.
    """
    folder = StudyFolder.open(study)
    _check_options(item, protocol)
    judgements = judgements_on(folder, dimension, condition)
    chosen, remarks = _protocol(judgements, protocol, dimension)
    of_protocol = [j for j in judgements if j.protocol is chosen]
    answers = [j for j in of_protocol if j.outcome is not Outcome.SKIP]
    if not answers:
        raise DataError(f"{folder.path}: all {len(of_protocol)} answers on '{dimension}' are skips")
    return Selection(
        folder=folder,
        study=folder.header.name,
        simulated=folder.header.simulated,
        dimension=dimension,
        descriptive=dimension in folder.header.descriptive_dimensions,
        protocol=chosen,
        item=item,
        clips=known_clips(folder.clips(), answers),
        has_audio=folder.header.has_audio,
        judgements=tuple(answers),
        skipped=len(of_protocol) - len(answers),
        warnings=remarks,
    )


def judgements_on(
    folder: StudyFolder, dimension: str, condition: str | None = None
) -> list[Judgement]:
    """Every judgement on a dimension, of any protocol and skips included, but no metric's.

    What a metric says is no listener's answer: `evaluation.validity` compares the two. Raises
    DataError, with what there is, when there are none, or none on prompts of `condition`.
    """
    judgements = _of_dimension(folder, dimension)
    return judgements if condition is None else _of_condition(folder, judgements, condition)


def known_clips(clips: Iterable[Clip], judgements: Iterable[Judgement]) -> dict[str, Clip]:
    """By id; raises DataError for a judgement about a clip that is not among them."""
    by_id = {clip.id: clip for clip in clips}
    for j in judgements:
        for candidate in j.candidates:
            if candidate.clip_id not in by_id:
                raise DataError(
                    f"trial '{j.trial}': clip {candidate.clip_id} is not in clips.parquet; "
                    "`auralign data validate` names every such row"
                )
    return by_id


def systems_of(selection: Selection) -> dict[str, str]:
    """The system of each clip of the study."""
    return {name: clip.system for name, clip in selection.clips.items()}


def only(selection: Selection, keep: Callable[[Judgement], bool]) -> Selection:
    """The selection without the judgements that `keep` refuses."""
    return replace(selection, judgements=tuple(j for j in selection.judgements if keep(j)))


def _check_options(item: str, protocol: str | None) -> None:
    if item not in get_args(ItemKind):
        raise ConfigError(f"item must be one of {', '.join(get_args(ItemKind))}, got '{item}'")
    if protocol is not None and protocol not in PROTOCOLS:
        raise ConfigError(
            f"protocol must be one of {', '.join(PROTOCOLS)}, got '{protocol}'"
            f"{did_you_mean(protocol, PROTOCOLS)}"
        )


def _of_dimension(folder: StudyFolder, dimension: str) -> list[Judgement]:
    found = folder.judgements(dimension)
    if not found:
        known = sorted({j.dimension for j in folder.judgements()})
        raise DataError(
            f"{folder.path}: expected judgements on the dimension '{dimension}', found none"
            f"{did_you_mean(dimension, known)}; there are judgements on "
            f"{', '.join(known) or 'no dimension'}"
        )
    answers = [j for j in found if j.source is not Source.METRIC]
    if not answers:
        raise DataError(
            f"{folder.path}: all {len(found)} judgements on '{dimension}' are a metric's, and "
            "statistics are about answers: `auralign score validate` looks at metrics"
        )
    return answers


def _of_condition(
    folder: StudyFolder, judgements: Iterable[Judgement], condition: str
) -> list[Judgement]:
    prompts = folder.prompts()
    wanted = {prompt.id for prompt in prompts if prompt.condition == condition}
    found = [j for j in judgements if j.prompt_id in wanted]
    if not found:
        known = sorted({p.condition for p in prompts if p.condition})
        raise DataError(
            f"{folder.path}: expected judgements on prompts of the condition '{condition}', found "
            f"none{did_you_mean(condition, known)}; the conditions are "
            f"{', '.join(known) or 'not given'}"
        )
    return found


_PREFERRED = tuple(
    TrialProtocol(name) for name in ("pair", "ranking", "best_worst", "rating", "thumbs")
)


def _protocol(
    judgements: Sequence[Judgement], wanted: str | None, dimension: str
) -> tuple[TrialProtocol, tuple[str, ...]]:
    """Which protocol to analyse, and a remark about the others."""
    counts = Counter(j.protocol for j in judgements)
    if wanted is not None and TrialProtocol(wanted) not in counts:
        raise DataError(
            f"expected {wanted} judgements on '{dimension}', found none; there are "
            f"{', '.join(f'{n} of {p}' for p, n in counts.items())}"
        )
    chosen = TrialProtocol(wanted) if wanted else next(p for p in _PREFERRED if p in counts)
    others = ", ".join(f"{n} {p.value} judgements" for p, n in counts.items() if p is not chosen)
    return chosen, (f"left out: {others} (see --protocol)",) if others and not wanted else ()
