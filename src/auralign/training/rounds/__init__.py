"""Rounds of alignment as records with lineage: what was generated, judged, trained and preferred.

driver        the loop, which goes on at any step
records       what a round was made of; `folder` is how it lies on the disk
candidates    what is sampled; `annotators`, who judges it; `curation`, which pairs come of it
held_out      how far a round has come; `stopping`, when to stop and which round to keep
temporal      future-guided pairs; `gallery`, rewards that are fitted anew; `implicit`, labels of
              the policy's own; `search` and `step_pairs`, pairs from trees over segments
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auralign.lazy import importer

if TYPE_CHECKING:
    from auralign.training.rounds.annotators import (
        ask_judge,
        ask_judge_by_example,
        ask_people,
        ask_reward,
        bradley_terry_judge,
    )
    from auralign.training.rounds.candidates import draw_from_policy
    from auralign.training.rounds.context import RoundContext, WaitingForVotes
    from auralign.training.rounds.curation import CURATIONS
    from auralign.training.rounds.driver import Methods, RoundSettings, RoundsResult, run_rounds
    from auralign.training.rounds.folder import held_out_table, read_rounds
    from auralign.training.rounds.held_out import compare_with_first
    from auralign.training.rounds.records import HeldOut, Round
    from auralign.training.rounds.stopping import best_round, stop_reason
    from auralign.training.rounds.train_pairs import train_on_pairs

_MODULES = {
    "CURATIONS": "curation",
    "HeldOut": "records",
    "Methods": "driver",
    "Round": "records",
    "RoundContext": "context",
    "RoundSettings": "driver",
    "RoundsResult": "driver",
    "WaitingForVotes": "context",
    "ask_judge": "annotators",
    "ask_judge_by_example": "annotators",
    "ask_people": "annotators",
    "ask_reward": "annotators",
    "best_round": "stopping",
    "bradley_terry_judge": "annotators",
    "compare_with_first": "held_out",
    "draw_from_policy": "candidates",
    "held_out_table": "folder",
    "read_rounds": "folder",
    "run_rounds": "driver",
    "stop_reason": "stopping",
    "train_on_pairs": "train_pairs",
}
"""Where each name lives. Who reads rounds does not wait for what trains them."""

__all__ = [
    "CURATIONS",
    "HeldOut",
    "Methods",
    "Round",
    "RoundContext",
    "RoundSettings",
    "RoundsResult",
    "WaitingForVotes",
    "ask_judge",
    "ask_judge_by_example",
    "ask_people",
    "ask_reward",
    "best_round",
    "bradley_terry_judge",
    "compare_with_first",
    "draw_from_policy",
    "held_out_table",
    "read_rounds",
    "run_rounds",
    "stop_reason",
    "train_on_pairs",
]

__getattr__ = importer(__name__, _MODULES)
