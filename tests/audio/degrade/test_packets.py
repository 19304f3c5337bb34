import numpy as np
import pytest

from auralign.audio.degrade import lose_packets
from auralign.errors import ConfigError
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE = 8_000
PACKET = 320  # 40 ms
RAMP = Audio((1 + np.arange(100 * PACKET - 7))[None].astype(np.float32) / 32_768, RATE)


def lost(audio: Audio) -> np.ndarray:
    """Which packets are not as they were."""
    changed = audio.samples[0] != RAMP.samples[0]
    return np.array([changed[i : i + PACKET].any() for i in range(0, changed.size, PACKET)])


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.37, 1.0])
def test_the_share_of_packets_is_lost_and_silent(share):
    heard = lose_packets(RAMP, share, np.random.default_rng(0))
    assert lost(heard).mean() == pytest.approx(share)
    assert not heard.samples[0][np.repeat(lost(heard), PACKET)[: RAMP.n_samples]].any()


def test_a_smaller_loss_is_part_of_a_larger_one():
    small, large = (lost(lose_packets(RAMP, s, np.random.default_rng(2))) for s in (0.1, 0.3))
    assert np.all(large[small])


def test_a_repeated_packet_is_the_last_one_that_arrived():
    heard = lose_packets(RAMP, 0.5, np.random.default_rng(1), concealment="repeat")
    missing = lost(heard)
    expected = np.pad(RAMP.samples[0], (0, 7)).reshape(-1, PACKET).copy()
    for i in np.flatnonzero(missing):
        expected[i] = expected[i - 1] if i else 0
    np.testing.assert_array_equal(heard.samples[0], expected.reshape(-1)[: RAMP.n_samples])


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_an_error(share):
    with pytest.raises(ConfigError, match="share from 0 to 1"):
        lose_packets(RAMP, share, np.random.default_rng(0))
