"""The numbers of a run that people quote, from what its stages made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from auralign.pipeline.stages.align import AlignedPolicies
from auralign.pipeline.stages.evaluate import AFTER, HACKED, Evaluation
from auralign.pipeline.stages.iterate import IteratedPolicy
from auralign.pipeline.stages.model import TrainedReward
from auralign.pipeline.stages.prefer import Preferences


def collect_result(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """What the stages in `outputs` found; a stage that was not run adds no key."""
    result: dict[str, Any] = {"simulated": True}
    for name, collect in _COLLECTORS.items():
        if name in outputs:
            result.update(collect(outputs[name]))
    return result


def _prefer(preferences: Preferences) -> dict[str, Any]:
    return {
        "agreement": preferences.agreement["overall"].value,
        "agreement_by_dimension": {d: asdict(e) for d, e in preferences.agreement.items()},
    }


def _model(reward: TrainedReward) -> dict[str, Any]:
    about = reward.about
    return {
        "reward_accuracy": about["accuracy"]["value"],
        "reward_accuracy_ci": [about["accuracy"]["low"], about["accuracy"]["high"]],
        "reward_ceiling": about["ceiling"]["value"],
        "reward_mos_spearman": about["mos_spearman"]["value"],
    }


def _align(align: AlignedPolicies) -> dict[str, Any]:
    about = align.about
    found = {"kl": about[AFTER]["kl"], "round": about[AFTER]["round"]}
    return found | {name: about[name] for name in ("n_pairs",) if name in about}


def _iterate(iterated: IteratedPolicy) -> dict[str, Any]:
    about = iterated.about
    return {
        "rounds": about["rounds"],
        "kept_round": about["kept_round"],
        "votes_per_round": about["votes_per_round"],
        "test_preference": about["test"]["preference"],
        "test_preference_error": about["test"]["error"],
    }


def _evaluate(evaluation: Evaluation) -> dict[str, Any]:
    return {**_after(evaluation, AFTER), "hack": _after(evaluation, HACKED)}


def _after(evaluation: Evaluation, system: str) -> dict[str, Any]:
    overall = evaluation.win_rates[system]["overall"]
    words = evaluation.signals[system][0]
    return {
        "win_rate": overall.value,
        "win_rate_ci": [overall.low, overall.high],
        "win_rate_by_dimension": {d: asdict(e) for d, e in evaluation.win_rates[system].items()},
        "wer_before": words.before,
        "wer_after": words.after,
        "failures": {row.name: row.verdict for row in evaluation.failures[system]},
    }


_COLLECTORS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "prefer": _prefer,
    "model": _model,
    "align": _align,
    "iterate": _iterate,
    "evaluate": _evaluate,
}
