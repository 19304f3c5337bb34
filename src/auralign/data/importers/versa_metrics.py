"""What the fields of VERSA's results mean, where that is known (its docs/supported_metrics.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from auralign.types import DIMENSIONS

_CONTENT, _QUALITY, _TASK, _OVERALL = DIMENSIONS


@dataclass(frozen=True, slots=True)
class Metric:
    """The dimension (None for the field's own name), the range and the better end of a field."""

    dimension: str | None
    low: float = -math.inf
    high: float = math.inf
    less_is_better: bool = False
    descriptive: bool = False

    @property
    def scale(self) -> tuple[float, float]:
        """The range of ratings, of which more is better."""
        return (-self.high, -self.low) if self.less_is_better else (self.low, self.high)

    def rating(self, value: float) -> float:
        return -value if self.less_is_better else value


DESCRIPTIVE = Metric(None, descriptive=True)

_MOS = Metric(_QUALITY)
_NATURALNESS = Metric(_OVERALL)
_DECIBELS = Metric(_QUALITY)
_ERROR_RATE = Metric(_CONTENT, low=0.0, less_is_better=True)
_DISTANCE = Metric(_QUALITY, low=0.0, less_is_better=True)
_SIMILARITY = Metric(_TASK, -1.0, 1.0)

METRICS: dict[str, Metric] = {
    # Predictors of opinion scores: linear outputs that may leave the scale of the raters.
    **dict.fromkeys(("dnsmos_overall", "dnsmos_p808", "dns_overall", "dns_p808", "plcmos"), _MOS),
    **dict.fromkeys(("nisqa_mos_pred", "nisqa_noi_pred", "nisqa_dis_pred"), _MOS),
    **dict.fromkeys(("nisqa_col_pred", "nisqa_loud_pred", "scoreq_nr", "torch_squim_mos"), _MOS),
    **dict.fromkeys(("utmos", "utmosv2", "sheet_ssqa", "wvmos"), _NATURALNESS),
    **dict.fromkeys(("singmos", "singmos_v2"), _NATURALNESS),
    # The names that people's ratings on these axes have (`importers.aes`).
    "audiobox_aesthetics_CE": Metric("content_enjoyment"),
    "audiobox_aesthetics_CU": Metric("content_usefulness"),
    "audiobox_aesthetics_PQ": _MOS,
    "audiobox_aesthetics_PC": Metric("production_complexity", descriptive=True),
    # Against an aligned reference. VERSA writes 0.0 where PESQ failed; its scale begins above 1.
    "pesq": Metric(_QUALITY, 0.999, 4.65),
    "torch_squim_pesq": _MOS,
    "stoi": Metric(_CONTENT, -1.0, 1.0),
    "torch_squim_stoi": Metric(_CONTENT),
    "visqol": Metric(_QUALITY, 1.0, 5.0),
    **dict.fromkeys(("sdr", "sir", "sar", "si-snr", "ci-sdr", "si_snr", "ci_sdr"), _DECIBELS),
    **dict.fromkeys(("se_sdr", "se_sar", "se_si_snr", "se_ci_sdr"), _DECIBELS),
    "torch_squim_si_sdr": _DECIBELS,
    "pysepm_fwsegsnr": _DECIBELS,
    **dict.fromkeys(("mcd", "pysepm_wss", "pysepm_cd", "pysepm_llr", "warpq"), _DISTANCE),
    **dict.fromkeys(("scoreq_ref", "nomad", "cdpam_distance", "dpam_distance"), _DISTANCE),
    **dict.fromkeys(("pysepm_Csig", "pysepm_Cbak", "pysepm_Covl"), _MOS),
    "pam": Metric(_QUALITY, 0.0, 1.0),
    "srmr": Metric(_QUALITY, low=0.0),
    # Content.
    **{f"{asr}_{unit}er": _ERROR_RATE for asr in ("espnet", "owsm", "whisper") for unit in "wc"},
    "asr_match_error_rate": _ERROR_RATE,
    "speech_bert": Metric(_CONTENT, -1.0, 1.0),
    "speech_bleu": Metric(_CONTENT, 0.0, 1.0),
    "speech_belu": Metric(_CONTENT, 0.0, 1.0),
    # Whether the task was met.
    **dict.fromkeys(("spk_similarity", "singer_similarity", "emotion_similarity"), _SIMILARITY),
    "clap_score": _SIMILARITY,
    "f0_corr": _SIMILARITY,
    "f0_rmse": Metric(_TASK, low=0.0, less_is_better=True),
}
"""Field -> meaning. A field that is not here is imported as one that only describes."""
