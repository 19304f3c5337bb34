"""MUSHRA (ITU-R BS.1534-3), and its form without a named reference (arXiv 2411.12719)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from auralign.errors import ConfigError
from auralign.listen.protocols.multi_stimulus import SlidersTest
from auralign.listen.protocols.test_type import Condition, Stimulus, by_prompt, with_references

MAX_STIMULI = 12


class MushraTest(SlidersTest):
    """Hidden reference, anchors and systems on one scale.

    named_reference   play the reference under its name too; without, it is one clip among others
                      (MUSHRA-NMR), so that a system may be better than it
    anchors_hz        cutoffs of the low-passed references that serve as anchors
    guidelines        `detailed` shows what to listen for on each dimension (MUSHRA-DG)
    rules             post-screening, by a name of `stats.ratings.mushra.SCREENING_RULES`
    """

    type: Literal["mushra"]
    asks: ClassVar[str] = "How good is each clip?"
    hides_reference: ClassVar[bool] = True
    needs_reference: ClassVar[bool] = True
    named_reference: bool = True
    anchors_hz: tuple[int, ...] = Field(default=(3_500, 7_000), max_length=4)
    guidelines: Literal["short", "detailed"] = "short"
    rules: Literal["BS.1534-3", "MPEG-H", "none"] = "BS.1534-3"

    def conditions(self, stimuli: Sequence[Stimulus]) -> list[Condition]:
        """One for each prompt, with its hidden reference, its anchors and its systems.

        Raises ConfigError for a prompt without a reference or with more than 12 stimuli.
        """
        anchors = by_prompt(stimuli, "anchor")
        systems = {prompt: tuple(clips.values()) for prompt, clips in by_prompt(stimuli).items()}
        open_ = with_references([Condition(p, clips) for p, clips in systems.items()], stimuli)
        made = [self._with_hidden(c, tuple(anchors.get(c.prompt_id, {}).values())) for c in open_]
        for condition in made:
            if len(condition.clips) > MAX_STIMULI:
                raise ConfigError(
                    f"prompt '{condition.prompt_id}' has {len(condition.clips)} stimuli, and "
                    f"MUSHRA takes {MAX_STIMULI} at most (ITU-R BS.1534-3): leave systems out"
                )
        return made

    def _with_hidden(self, condition: Condition, anchors: Sequence[str]) -> Condition:
        assert condition.reference is not None, "conditions of MUSHRA have references"
        clips = (condition.reference, *anchors, *condition.clips)
        named = condition.reference if self.named_reference else None
        return Condition(condition.prompt_id, clips, named)
