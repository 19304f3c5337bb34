"""From thumbs to unpaired training records, by a named rule that the record carries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from auralign.types import Feedback, Judgement, Prompt, TrialProtocol


def feedback_from_thumbs(
    judgements: Iterable[Judgement], prompts: Mapping[str, Prompt], *, dimension: str
) -> list[Feedback]:
    """For each clip one record of its thumbs up and one of its thumbs down, rule `thumbs`.

    A rating above the middle of its scale is a thumb up, one below a thumb down, one in the middle
    neither. The weight is the number of thumbs, so that the weighted sum over the records is the
    sum over the listeners.
    """
    counts: Counter[tuple[str, str, bool]] = Counter()
    for j in judgements:
        if j.protocol is not TrialProtocol.THUMBS or j.dimension != dimension:
            continue
        if j.rating is None or j.scale is None or j.rating == sum(j.scale) / 2:
            continue
        counts[j.prompt_id, j.candidates[0].clip_id, j.rating > sum(j.scale) / 2] += 1
    return [
        Feedback(
            prompt_id=prompt_id,
            clip=clip,
            desirable=desirable,
            weight=float(n),
            dimension=dimension,
            rule="thumbs",
            split=prompts[prompt_id].split,
        )
        for (prompt_id, clip, desirable), n in counts.items()
    ]
