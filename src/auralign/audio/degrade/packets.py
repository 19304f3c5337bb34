"""Lost packets of a transmission."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from auralign.errors import ConfigError
from auralign.types import Audio

PACKET_S = 0.04


def lose_packets(
    audio: Audio,
    share: float,
    rng: np.random.Generator,
    *,
    concealment: Literal["zero", "repeat"] = "zero",
    packet_s: float = PACKET_S,
) -> Audio:
    """The clip with that share of its packets lost, rounded to whole packets.

    concealment   `zero` leaves silence; `repeat` plays the last packet that arrived again
    packet_s      0.02 to 0.08 s are usual

    The same generator state loses the packets of a smaller share within a larger one. Raises
    ConfigError for a share outside 0 to 1 or packets that are not 5 ms to 1 s.
    """
    if not 0 <= share <= 1 or not 0.005 <= packet_s <= 1:
        raise ConfigError(
            "packet loss takes a share from 0 to 1 and packets of 0.005 to 1 s, "
            f"not {share:g} and {packet_s:g} s"
        )
    n = round(packet_s * audio.sample_rate)
    n_packets = -(-audio.n_samples // n)
    padded = np.pad(audio.samples, ((0, 0), (0, n_packets * n - audio.n_samples)))
    packets = padded.reshape(audio.channels, n_packets, n)
    lost = np.zeros(n_packets, dtype=bool)
    lost[rng.permutation(n_packets)[: round(share * n_packets)]] = True
    heard = _repeated(packets, lost) if concealment == "repeat" else packets
    arrived = np.where((lost & _silent(lost, concealment))[:, None], np.float32(0), heard)
    samples = arrived.reshape(audio.channels, -1)[:, : audio.n_samples]
    return Audio(samples, audio.sample_rate)


def _repeated(packets: NDArray[np.float32], lost: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Each lost packet replaced by the last one that arrived, if there was any."""
    last = np.maximum.accumulate(np.where(lost, -1, np.arange(lost.size)))
    return np.asarray(packets[:, np.maximum(last, 0)])


def _silent(lost: NDArray[np.bool_], concealment: str) -> NDArray[np.bool_]:
    """Where nothing can be played: everywhere, or before the first packet that arrived."""
    return np.ones_like(lost) if concealment == "zero" else np.logical_and.accumulate(lost)
