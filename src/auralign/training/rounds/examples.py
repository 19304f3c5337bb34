"""What a round trains on: its own pairs, those of earlier rounds where asked, and hacked clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auralign.data.examples import TokenPair
from auralign.training.rounds.folder import RoundFolder
from auralign.training.rounds.records import Candidates
from auralign.types import PreferencePair

PairKey = tuple[str, frozenset[str]]


@dataclass(frozen=True)
class RoundExamples:
    """By where they come from; what is hacked was rejected by the guard of the round before."""

    own: list[TokenPair]
    reused: list[TokenPair]
    hacked: list[TokenPair]

    @property
    def all(self) -> list[TokenPair]:
        return [*self.own, *self.reused, *self.hacked]


def examples_of(folder: RoundFolder, *, reuse: bool) -> RoundExamples:
    """The examples of a round whose pairs are written.

    A pair that an earlier round has trained on is left out of the round's own ones.
    """
    before = folder.before
    earlier = [_token_pairs(other) for other in before]
    used = {key for pairs in earlier for key in pairs}
    own = [pair for key, pair in _token_pairs(folder).items() if key not in used]
    reused = {key: pair for pairs in earlier for key, pair in pairs.items()} if reuse else {}
    hacked = before[-1].hacked() if before else []
    return RoundExamples(own, list(reused.values()), hacked)


def _token_pairs(folder: RoundFolder) -> dict[PairKey, TokenPair]:
    """The pairs of a round with the codes of their clips, each pair of clips once."""
    candidates = folder.candidates()
    scores = {s.clip_id: s.value for s in folder.votes().scores if s.value is not None}
    found: dict[PairKey, TokenPair] = {}
    for pair in folder.pairs():
        key = pair.prompt_id, frozenset((pair.chosen, pair.rejected))
        found.setdefault(key, _with_codes(pair, candidates, scores))
    return found


def _with_codes(
    pair: PreferencePair, candidates: Candidates, scores: Mapping[str, float]
) -> TokenPair:
    both_scored = pair.chosen in scores and pair.rejected in scores
    return TokenPair(
        candidates.prompts[pair.prompt_id],
        candidates.tokens[pair.chosen],
        candidates.tokens[pair.rejected],
        weight=pair.weight,
        p_chosen=pair.p_chosen,
        chosen_score=scores[pair.chosen] if both_scored else None,
        rejected_score=scores[pair.rejected] if both_scored else None,
        dimension=pair.dimension,
    )
