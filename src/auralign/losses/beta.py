"""What `beta` and its companions of other code bases are called, and are worth, here.

Here `beta` multiplies log-probabilities in nats, summed over all scored codes of a clip: all
frames, all codebooks. Only the objectives in `PER_CODE` take means over codes, and `ipo` and some
others by their option `per_code`. The same number therefore means another thing where a code base
averages: its gradients are smaller by the number of codes, hundreds to thousands in audio. So

    beta of sums = beta of means / number of codes,

the same loss for clips of that length, and about the same where lengths vary around it. Where a
code base averages over codebooks and sums over frames, the number is that of the codebooks. A
factor 1/2 beside beta belongs to squared errors of diffusion and flow; no loss on tokens has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from auralign.errors import ConfigError, did_you_mean

PER_CODE = frozenset({"ln_dpo", "simpo", "alphapo", "tpo_l"})
"""Objectives whose beta belongs to means over codes."""

Value = Callable[[float, float], float]
"""Our value of an option from its value and its beta."""


@dataclass(frozen=True)
class Convention:
    """How a code base writes one of our objectives.

    beta       our name of what it calls beta
    per_code   its beta belongs to means over codes, None where beta belongs to neither
    options    its names of options -> our name and value
    """

    beta: str = "beta"
    per_code: bool | None = False
    options: Mapping[str, tuple[str, Value]] = field(default_factory=dict)


def convert_beta(
    beta: float,
    *,
    source: str,
    method: str,
    mean_codes: float | None = None,
    **options: float,
) -> dict[str, float | bool]:
    """Options of our objective that give the loss that `beta` gives in another code base.

    beta         as the source has it; of ORPO its lambda
    source       one of `CONVENTIONS`; `sums` and `means` are code bases that are not there, and
                 reduce log-probabilities over codes in that way
    method       our objective, of those that `CONVENTIONS` has for the source
    mean_codes   scored codes of a clip on average; needed where one side sums and the other
                 averages
    options      by the names of the source: `simpo_gamma`, `gamma_beta_ratio`, `cpo_alpha`, ...

    An option that is not given is not in the answer: the default is then ours, not the source's.
    Raises ConfigError for names that are not known, numbers that are not positive, and a missing
    mean_codes.
    """
    convention = _convention(source, method)
    _require_positive("beta", beta)
    ours: dict[str, float | bool] = {
        convention.beta: beta * _rescaling(convention, method, mean_codes)
    }
    if method == "ipo":
        ours["per_code"] = bool(convention.per_code)
    for name, value in options.items():
        if name not in convention.options:
            known = ", ".join(convention.options) or "no option"
            raise ConfigError(
                f"{method} of {source} takes {known} beside beta, got '{name}'"
                f"{did_you_mean(name, convention.options)}"
            )
        our_name, to_ours = convention.options[name]
        ours[our_name] = to_ours(value, beta)
    return ours


def _convention(source: str, method: str) -> Convention:
    if source not in CONVENTIONS:
        raise ConfigError(
            f"expected a source out of {', '.join(CONVENTIONS)}, got '{source}'"
            f"{did_you_mean(source, CONVENTIONS)}: take sums or means for another code base"
        )
    methods = CONVENTIONS[source]
    if method not in methods:
        raise ConfigError(
            f"expected a method of {source} out of {', '.join(methods)}, got '{method}'"
            f"{did_you_mean(method, methods)}"
        )
    return methods[method]


def _rescaling(convention: Convention, method: str, mean_codes: float | None) -> float:
    """Our beta over theirs."""
    if method == "ipo" or convention.per_code in (None, method in PER_CODE):
        return 1.0
    if mean_codes is None:
        theirs, ours = ("means", "sums") if convention.per_code else ("sums", "means")
        raise ConfigError(
            f"expected mean_codes, because beta belongs to {theirs} over codes there and to {ours} "
            f"in {method} here: give the mean number of scored codes of a clip"
        )
    _require_positive("mean_codes", mean_codes)
    return 1 / mean_codes if convention.per_code else mean_codes


def _require_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"expected {name} above 0, got {value:g}")


def _same(name: str) -> tuple[str, Value]:
    return name, lambda value, beta: value


_SUM, _MEAN = Convention(), Convention(per_code=True)
_GAMMA_TIMES_BETA: tuple[str, Value] = ("gamma", lambda value, beta: value * beta)
_PENALTY_OVER_BETA: tuple[str, Value] = ("penalty", lambda value, beta: value / beta)
_ONE_LESS: tuple[str, Value] = ("alpha", lambda value, beta: 1 - value)
_SMOOTHING = {"label_smoothing": _same("label_smoothing")}
_CLASS_WEIGHTS = {name: _same(name) for name in ("desirable_weight", "undesirable_weight")}


def _any_source(per_code: bool) -> dict[str, Convention]:
    """Objectives that see log-probabilities only times beta, and IPO, which has both forms."""
    plain = ("dpo", "ln_dpo", "hinge", "ipo", "nca_pair", "apo_zero", "apo_down", "bco")
    smoothed = ("cdpo", "rdpo", "exo", "aot", "aot_unpaired")
    penalties = {"penalty": _same("penalty"), "penalty_outside_beta": _PENALTY_OVER_BETA}
    return {
        **dict.fromkeys((*plain, "apo_zero_unpaired"), Convention(per_code=per_code)),
        **dict.fromkeys(smoothed, Convention(per_code=per_code, options=_SMOOTHING)),
        "dpop": Convention(per_code=per_code, options=penalties),
        "cpo": Convention(per_code=per_code, options={"alpha": _same("alpha")}),
        "kto": Convention(per_code=per_code, options=_CLASS_WEIGHTS),
    }


CONVENTIONS: dict[str, dict[str, Convention]] = {
    # huggingface/trl 1.16. It averages the supervised terms of CPO, ORPO and TPO over the codes of
    # a batch, not over those of each clip.
    "trl": {
        **dict.fromkeys(("dpo", "hinge", "nca_pair", "sppo_hard", "apo_zero", "apo_down"), _SUM),
        **dict.fromkeys(("rdpo", "exo", "aot", "aot_unpaired"), Convention(options=_SMOOTHING)),
        "discopop": Convention(options={"discopop_tau": _same("tau")}),
        "fdpo_forward_kl": _SUM,
        "fdpo_js": _SUM,
        "fdpo_alpha": Convention(options={"f_alpha_divergence_coef": _ONE_LESS}),
        "ld_dpo": Convention(options={"ld_alpha": _same("alpha")}),
        "ipo": _MEAN,
        "ln_dpo": _MEAN,
        "simpo": Convention(per_code=True, options={"simpo_gamma": _same("gamma")}),
        "alphapo": Convention(
            per_code=True, options={"simpo_gamma": _same("gamma"), "alpha": _same("alpha")}
        ),
        "cpo": Convention(options={"cpo_alpha": _same("alpha")}),
        "orpo": Convention(beta="weight", per_code=None),
        "tpo": Convention(options={"tpo_alpha": _same("alpha")}),
        "tpo_l": Convention(
            per_code=True, options={"tpo_l_gamma": _same("gamma"), "tpo_alpha": _same("alpha")}
        ),
        "kto": Convention(options=_CLASS_WEIGHTS),
        "apo_zero_unpaired": _SUM,
    },
    # OpenRLHF/OpenRLHF
    "openrlhf": {"dpo": _SUM, "cdpo": Convention(options=_SMOOTHING), "ipo": _SUM},
    # eric-mitchell/direct-preference-optimization
    "direct-preference-optimization": {
        "dpo": _SUM,
        "cdpo": Convention(options=_SMOOTHING),
        "ipo": _SUM,
    },
    # hiyouga/LLaMA-Factory, where beta is `pref_beta`
    "llama-factory": {
        "dpo": _SUM,
        "cdpo": Convention(options={"dpo_label_smoothing": _same("label_smoothing")}),
        "rpo_sft": Convention(options={"pref_ftx": _same("alpha")}),
        "ipo": _MEAN,
        "simpo": Convention(per_code=True, options={"simpo_gamma": _same("gamma")}),
        "orpo": Convention(beta="weight", per_code=None),
    },
    # princeton-nlp/SimPO
    "simpo": {"simpo": Convention(per_code=True, options={"gamma_beta_ratio": _GAMMA_TIMES_BETA})},
    # FunAudioLLM/CosyVoice: means over speech tokens, beta 0.01
    "cosyvoice": {"dpo": _MEAN, "ln_dpo": _MEAN},
    "sums": _any_source(per_code=False),
    "means": _any_source(per_code=True),
}
"""By source, our objectives as the source writes them."""
