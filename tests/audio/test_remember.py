import gc
import weakref

import numpy as np

from auralign.audio.remember import remembered
from auralign.types import Audio


def clip() -> Audio:
    return Audio(np.zeros((1, 10), dtype=np.float32), 16_000)


def test_a_clip_is_measured_once_for_each_argument():
    calls = []

    @remembered
    def count(audio: Audio, factor: int = 1, *, offset: int = 0) -> int:
        calls.append((factor, offset))
        return factor * audio.n_samples + offset

    first, second = clip(), clip()
    assert [count(first), count(first), count(first, 2), count(first, offset=3)] == [10, 10, 20, 13]
    assert count(second) == 10
    assert calls == [(1, 0), (2, 0), (1, 3), (1, 0)]


def test_what_was_remembered_goes_with_the_clip():
    @remembered
    def copy(audio: Audio) -> np.ndarray:
        return audio.samples.copy()

    audio = clip()
    gone = weakref.ref(copy(audio))
    assert gone() is not None
    del audio
    gc.collect()
    assert gone() is None
