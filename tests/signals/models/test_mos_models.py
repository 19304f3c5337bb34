"""DNSMOS and SCOREQ: ONNX networks of a few nodes, written byte by byte, that compute means."""

import numpy as np
import pytest
import transformers

from auralign.errors import ConfigError
from auralign.signals.models import dnsmos, scoreq
from auralign.signals.signal import Item, Missing
from auralign.types import Audio

pytestmark = pytest.mark.slow

pytest.importorskip("onnxruntime")
RATE = 16_000
FLOAT, INTS, INT = 1, 7, 2


def varint(n: int) -> bytes:
    """Seven bits a byte, the lowest first; the high bit says that more follow."""
    return bytes([n]) if n < 128 else bytes([n % 128 + 128]) + varint(n // 128)


def field(number: int, value) -> bytes:
    """A field of a protocol buffer: an integer, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def node(kind: str, inputs: list[str], output: str, **attributes) -> bytes:
    """NodeProto of onnx.proto; attributes are integers or lists of them."""
    parts = [field(1, name) for name in inputs] + [field(2, output), field(4, kind)]
    for name, value in attributes.items():
        several = isinstance(value, list)
        numbers = [field(8, v) for v in value] if several else [field(3, value)]
        kind_of = field(20, INTS if several else INT)
        parts.append(field(5, field(1, name) + b"".join(numbers) + kind_of))
    return field(1, b"".join(parts))


def tensor(name: str, values: np.ndarray) -> bytes:
    dims = b"".join(field(1, n) for n in values.shape)
    raw = values.astype("<f4").tobytes()
    return field(5, dims + field(2, FLOAT) + field(8, name) + field(9, raw))


def value_info(number: int, name: str, *shape: int | str) -> bytes:
    dims = b"".join(field(1, field(1 if isinstance(n, int) else 2, n)) for n in shape)
    kind = field(1, field(1, FLOAT) + field(2, dims))
    return field(number, field(1, name) + field(2, kind))


def save(path, shape, nodes: list[bytes], constants: dict[str, np.ndarray], inputs=1) -> str:
    """ModelProto with opset 13, from `input_1` to `out`."""
    graph = b"".join(nodes) + field(2, "graph")
    graph += b"".join(tensor(name, values) for name, values in constants.items())
    graph += b"".join(value_info(11, f"input_{k + 1}", *shape) for k in range(inputs))
    graph += value_info(12, "out", "a", "b")
    path.write_bytes(field(1, 8) + field(8, field(2, 13)) + field(7, graph))
    return str(path)


def clip(seconds: float, seed: int = 0) -> Audio:
    samples = np.random.default_rng(seed).standard_normal((1, round(seconds * RATE)))
    return Audio((0.1 * samples).astype(np.float32), RATE)


@pytest.fixture(scope="module")
def p835(tmp_path_factory) -> str:
    """Raw outputs 1, 2 and 3 times the mean absolute sample, plus 1."""
    nodes = [
        node("Abs", ["input_1"], "abs"),
        node("ReduceMean", ["abs"], "mean", axes=[1], keepdims=1),
        node("Mul", ["mean", "scales"], "scaled"),
        node("Add", ["scaled", "one"], "out"),
    ]
    constants = {"scales": np.array([[1.0, 2.0, 3.0]]), "one": np.array([1.0])}
    return save(tmp_path_factory.mktemp("p835") / "m.onnx", (1, dnsmos.WINDOW), nodes, constants)


@pytest.fixture(scope="module")
def p808(tmp_path_factory) -> str:
    """The mean of all frames."""
    nodes = [
        node("ReduceMean", ["input_1"], "bands", axes=[1], keepdims=0),
        node("ReduceMean", ["bands"], "out", axes=[1], keepdims=1),
    ]
    return save(tmp_path_factory.mktemp("p808") / "m.onnx", (1, 900, 120), nodes, {})


def windows_by_hand(audio: Audio) -> list[np.ndarray]:
    x = audio.samples[0].astype(np.float64)
    while len(x) < 9.01 * RATE:
        x = np.append(x, x)
    n_hops = int(np.floor(len(x) / RATE) - 9.01) + 1
    return [x[k * RATE : k * RATE + dnsmos.WINDOW] for k in range(n_hops)]


@pytest.mark.parametrize("seconds", [1.3, 9.01, 9.5, 10.5, 18.2])
def test_the_score_is_the_mean_of_the_polynomials_over_the_windows(p835, seconds):
    audio = clip(seconds)
    (values,) = dnsmos.load(model=p835)([Item("clip", audio)])
    raw = np.array([np.abs(w).mean() for w in windows_by_hand(audio)])
    signal, background, overall = 1 + raw, 1 + 2 * raw, 1 + 3 * raw
    expected = {
        "sig": -0.08397278 * signal**2 + 1.22083953 * signal + 0.0052439,
        "bak": -0.13166888 * background**2 + 1.60915514 * background - 0.39604546,
        "ovrl": -0.06766283 * overall**2 + 1.11546468 * overall + 0.04602535,
    }
    for name, by_window in expected.items():
        assert values[name] == pytest.approx(by_window.mean(), rel=1e-5)
    assert values["p808"] == Missing("the option `p808_model` names no model")


def test_the_personalised_model_has_its_own_polynomials(p835):
    audio = clip(9.5)
    (values,) = dnsmos.load(model=p835, personalised=True)([Item("clip", audio)])
    raw = 1 + np.abs(windows_by_hand(audio)[0]).mean()
    fit = -0.01019296 * raw**3 + 0.02751166 * raw**2 + 1.19576786 * raw - 0.24348726
    assert values["sig"] == pytest.approx(fit, rel=1e-5)


def test_the_p808_model_gets_900_log_mel_frames_of_each_window(p835, p808):
    audio = clip(11.0)
    (values,) = dnsmos.load(model=p835, p808_model=p808)([Item("clip", audio)])
    frames = [dnsmos.log_mel_frames(w[:-160]) for w in windows_by_hand(audio)]
    assert {f.shape for f in frames} == {(900, 120)}
    assert values["p808"] == pytest.approx(np.mean(frames), rel=1e-4)


def test_frames_are_those_of_librosas_melspectrogram_as_transformers_computes_it():
    """n_fft 321 is odd, where transformers rounds the bins; its spectrogram takes our filters."""
    signal = clip(1.0).samples[0].astype(np.float64)
    expected = transformers.audio_utils.spectrogram(
        signal,
        transformers.audio_utils.window_function(321, "hann", periodic=True),
        frame_length=321,
        hop_length=160,
        fft_length=321,
        power=2.0,
        center=True,
        pad_mode="constant",
        mel_filters=dnsmos.slaney_filterbank(321, 120, RATE),
        log_mel="dB",
        reference=1.0,
        db_range=None,
    )
    expected = np.maximum(expected - expected.max(), -80)
    assert dnsmos.log_mel_frames(signal) == pytest.approx((expected.T + 40) / 40, abs=1e-4)


def test_the_filters_are_slaneys():
    found = dnsmos.slaney_filterbank(512, 40, RATE)
    expected = transformers.audio_utils.mel_filter_bank(
        257, 40, 0.0, RATE / 2, RATE, norm="slaney", mel_scale="slaney"
    )
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n_samples", [320 * 40, 320 * 40 + 1])
def test_scoreq_gets_zeros_up_to_a_multiple_of_320(tmp_path, n_samples):
    nodes = [node("ReduceMean", ["input_1"], "out", axes=[1], keepdims=1)]
    path = save(tmp_path / "nr.onnx", ("batch", "samples"), nodes, {})
    audio = Audio(np.full((1, n_samples), 0.5, np.float32), RATE)
    (values,) = scoreq.load_quality(model=path)([Item("clip", audio)])
    padded = -(-n_samples // 320) * 320
    assert values["scoreq"] == pytest.approx(0.5 * n_samples / padded)


def test_the_distance_is_that_of_the_embeddings(tmp_path):
    nodes = [
        node("ReduceMean", ["input_1"], "mean", axes=[1], keepdims=1),
        node("Mul", ["mean", "direction"], "out"),
    ]
    constants = {"direction": np.array([[3.0, 4.0]])}
    path = save(tmp_path / "ref.onnx", ("batch", "samples"), nodes, constants)
    loud, soft = (Audio(np.full((1, 3200), level, np.float32), RATE) for level in (0.5, 0.1))
    measure = scoreq.load_distance(model=path)
    far, same, alone = measure([Item("a", loud, soft), Item("b", soft, soft), Item("c", soft)])
    assert far["scoreq_distance"] == pytest.approx(5 * 0.4)
    assert same["scoreq_distance"] == 0
    assert alone["scoreq_distance"] == Missing("there is no reference recording")


def test_a_file_that_is_missing_or_no_network_is_refused_with_where_it_is_published(tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    for model, match in (
        ("", r"published at github.com/microsoft/DNS-Challenge.* got nothing"),
        (str(tmp_path / "absent"), r"got '.*absent'"),
        (str(broken), r"no network that onnxruntime can load"),
    ):
        with pytest.raises(ConfigError, match=match):
            dnsmos.load(model=model)


def test_a_network_with_two_inputs_is_refused(tmp_path):
    nodes = [node("Add", ["input_1", "input_2"], "out")]
    path = save(tmp_path / "two.onnx", ("a", "b"), nodes, {}, inputs=2)
    with pytest.raises(ConfigError, match=r"has 2 inputs: expected a network with one"):
        scoreq.load_quality(model=path)
