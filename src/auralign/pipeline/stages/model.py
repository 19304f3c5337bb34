"""model: what the votes say, and a reward model that says it for clips nobody has heard."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from auralign.data.config import StrictModel
from auralign.data.formats import PAIRS
from auralign.data.tables import write_table
from auralign.files import write_json
from auralign.pipeline.context import StageContext
from auralign.pipeline.stages.corpus import Corpus
from auralign.pipeline.stages.prefer import Preferences
from auralign.preferences.pairs import pairs_from_votes
from auralign.rewards.bradley_terry import BradleyTerryReward, SpeechFeatures, average
from auralign.signals.recognisers.ctc import CtcRecogniser
from auralign.stats.comparisons import comparisons_from
from auralign.stats.correlation import spearman
from auralign.stats.intervals import cluster_bootstrap
from auralign.stats.pairs import fit_within_blocks
from auralign.stats.ratings import mean_opinion_scores
from auralign.training.reward import RewardSettings, train_reward, vote_accuracy
from auralign.types import DIMENSIONS, Clip, Estimate, Judgement, PreferencePair, Split

EARLY_STOPPING_SHARE = 0.15
"""Share of the training prompts whose pairs select the reward model's epoch."""


class ModelOptions(StrictModel):
    """The encoder is pretrained on `n_encoder_clips` of the mixed corpus; the reward is the mean of
    `n_members` heads on it. `further` dimensions beside `overall` get a reward of their own."""

    stage: Literal["model"] = "model"
    n_encoder_clips: int = Field(ge=10)
    n_encoder_epochs: int = Field(ge=1)
    n_epochs: int = Field(ge=1)
    n_members: int = Field(default=4, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    further: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainedReward:
    """The reward model, its values of all candidates, and how well it predicts held-out votes.

    further   rewards of other dimensions, by name, on the same features
    """

    reward: BradleyTerryReward
    candidate_rewards: dict[str, float]
    about: dict[str, Any]
    further: dict[str, BradleyTerryReward]

    @classmethod
    def load(cls, folder: Path) -> TrainedReward:
        about = json.loads((folder / "reward.json").read_text(encoding="utf-8"))
        rewards = about.pop("candidate_rewards")
        further = {
            path.name.removeprefix("reward-"): BradleyTerryReward.load(path)
            for path in sorted(folder.glob("reward-*"))
        }
        return cls(BradleyTerryReward.load(folder / "reward"), rewards, about, further)


def run_model(
    options: ModelOptions, context: StageContext, corpus: Corpus, preferences: Preferences
) -> TrainedReward:
    """Fits Bradley-Terry worths per dimension and trains the reward model on the overall votes."""
    clips, prompts = preferences.clips, preferences.prompts
    pairs = pairs_from_votes(preferences.judgements, prompts, dimension="overall")
    write_table(PAIRS, pairs, context.folder / "pairs.parquet")
    encoder = _fit_encoder(options, context, corpus)
    context.progress(0.7, "features")
    conditions = tuple(sorted({p.condition or "" for p in prompts.values()}))
    features = SpeechFeatures(encoder, conditions)
    table = features(preferences.audios(clips), [prompts[c.prompt_id] for c in clips])
    context.progress(0.85, "reward model")
    rows = {clip.id: row for clip, row in zip(clips, table, strict=True)}
    reward = _train_reward(options, context, features, rows, pairs, "head")
    scores = reward.score_features(table)
    candidate_rewards = {c.id: float(s) for c, s in zip(clips, scores, strict=True)}
    about = _held_out(preferences, candidate_rewards, context)
    about["worths"] = _worths(preferences)
    _save(reward, context.folder / "reward")
    for name in options.further:
        votes = pairs_from_votes(preferences.judgements, prompts, dimension=name)
        other = _train_reward(options, context, features, rows, votes, f"head {name}")
        _save(other, context.folder / f"reward-{name}")
    write_json(context.folder / "reward.json", {**about, "candidate_rewards": candidate_rewards})
    context.work.summary = (
        f"reward accuracy {about['accuracy']['value']:.2f} of at most "
        f"{about['ceiling']['value']:.2f}, rank correlation with mean opinion scores "
        f"{about['mos_spearman']['value']:.2f}"
    )
    return TrainedReward.load(context.folder)


def _train_reward(
    options: ModelOptions,
    context: StageContext,
    features: SpeechFeatures,
    rows: dict[str, NDArray[np.float32]],
    pairs: Sequence[PreferencePair],
    purpose: str,
) -> BradleyTerryReward:
    """The mean of the members, each with random numbers of its own."""
    train, stopping = _early_stopping_split([p for p in pairs if p.split is Split.TRAIN])
    settings = RewardSettings(n_epochs=options.n_epochs, learning_rate=options.learning_rate)

    def member(number: int) -> BradleyTerryReward:
        return train_reward(
            features,
            rows,
            train,
            stopping,
            settings,
            generator=context.generator(f"{purpose} {number}"),
            log=lambda epoch, values: context.log(epoch, {"member": number, **values}),
        )

    return average([member(number) for number in range(options.n_members)])


def _save(reward: BradleyTerryReward, folder: Path) -> None:
    folder.mkdir()
    reward.save(folder)


def _fit_encoder(options: ModelOptions, context: StageContext, corpus: Corpus) -> CtcRecogniser:
    clips = corpus.mixed[: options.n_encoder_clips]
    return CtcRecogniser.fit(
        corpus.audios(clips),
        [p.text for p in corpus.prompts_of(clips)],
        architecture="recurrent",
        n_epochs=options.n_encoder_epochs,
        generator=context.generator("encoder"),
        progress=lambda done, total: context.progress(0.7 * done / total, "speech encoder"),
    )


def _early_stopping_split(
    pairs: Sequence[PreferencePair],
) -> tuple[list[PreferencePair], list[PreferencePair]]:
    """Pairs for training and pairs of other prompts that select the epoch."""
    prompts = sorted({p.prompt_id for p in pairs})
    kept_out = set(prompts[: max(1, round(EARLY_STOPPING_SHARE * len(prompts)))])
    train = [p for p in pairs if p.prompt_id not in kept_out]
    return train, [p for p in pairs if p.prompt_id in kept_out]


def _held_out(
    preferences: Preferences, rewards: dict[str, float], context: StageContext
) -> dict[str, Any]:
    """Accuracy, ceiling and rank correlation on validation prompts, which trained nothing."""
    held_out = {p.id for p in preferences.split(Split.VALIDATION)}
    judgements = [j for j in preferences.judgements if j.prompt_id in held_out]
    votes = [j for j in judgements if j.dimension == "overall" and j.outcome]
    decisive = [j for j in votes if j.outcome is not None and j.outcome.is_decisive]
    accuracy = _accuracy(decisive, rewards, context.rng("accuracy"))
    mos = mean_opinion_scores(judgements, "overall")
    prompt_of = {c.id: c.prompt_id for c in preferences.clips}
    correlation = spearman(
        [rewards[clip] for clip in mos],
        [e.value for e in mos.values()],
        clusters=[prompt_of[clip] for clip in mos],
        rng=context.rng("mos"),
    )
    return {
        "accuracy": asdict(accuracy),
        "ceiling": asdict(_ceiling(preferences, decisive, context.rng("ceiling"))),
        "mos_spearman": asdict(correlation),
        "mos": {clip: e.value for clip, e in mos.items()},
    }


def _accuracy(
    votes: Sequence[Judgement], rewards: dict[str, float], rng: np.random.Generator
) -> Estimate:
    """Share of decisive votes that the reward model predicts; clusters are prompts."""
    margin = np.array(
        [rewards[j.candidates[0].clip_id] - rewards[j.candidates[1].clip_id] for j in votes]
    )
    won = np.array([j.outcome == "A" for j in votes])

    def accuracy(counts: NDArray[np.int64]) -> float:
        rows = np.repeat(np.arange(len(votes)), counts)
        return vote_accuracy(margin[rows], won[rows])

    return cluster_bootstrap(accuracy, [j.prompt_id for j in votes], rng=rng)


def _ceiling(
    preferences: Preferences, votes: Sequence[Judgement], rng: np.random.Generator
) -> Estimate:
    """Expected accuracy on these votes of who knows the panel's mean choice probabilities.

    Nobody can predict single noisy votes of listeners with different tastes better from the clips
    alone. It can be computed because these listeners are simulated.
    """
    needed: dict[str, Clip] = {c.id: c for c in preferences.clips}
    ids = sorted({c.clip_id for j in votes for c in j.candidates})
    clips = [needed[i] for i in ids]
    percepts = preferences.ears.hear(
        preferences.audios(clips), [preferences.prompts[c.prompt_id] for c in clips]
    )
    row = {clip: i for i, clip in enumerate(ids)}
    pairs = np.array([[row[c.clip_id] for c in j.candidates] for j in votes])
    a, b = preferences.panel.choice_probabilities(percepts, pairs, "overall")
    p_first = a.sum(0) / (a + b).sum(0)
    best = np.maximum(p_first, 1 - p_first)
    return cluster_bootstrap(
        lambda counts: float(np.average(best, weights=counts)),
        [j.prompt_id for j in votes],
        rng=rng,
    )


def _worths(preferences: Preferences) -> dict[str, dict[str, float]]:
    """Spread of the Bradley-Terry worths within prompts, per dimension, and the number of clips."""
    prompt_of = {c.id: c.prompt_id for c in preferences.clips}
    worths = {}
    for dimension in DIMENSIONS:
        comparisons = comparisons_from(preferences.judgements, dimension)
        fit = fit_within_blocks(comparisons, prompt_of, prior=0.5)
        by_prompt: dict[str, list[float]] = defaultdict(list)
        for clip, worth in zip(fit.items, fit.log_worth, strict=True):
            by_prompt[prompt_of[clip]].append(float(worth))
        spread = float(np.mean([np.ptp(w) for w in by_prompt.values()]))
        worths[dimension] = {"mean_range_logits": spread, "n_clips": len(fit.items)}
    return worths
