"""UTMOS and audiobox-aesthetics from files: tiny networks beside their slow twins.

The twins are written with plain functions on the published names of the weights, after fairseq's
wav2vec 2.0 and Microsoft's WavLM; they share no code with the networks under test.
"""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from auralign.errors import ConfigError
from auralign.signals.models import aesthetics, utmos
from auralign.signals.models.fairseq_weights import load_encoder
from auralign.signals.signal import Item
from auralign.types import Audio

pytestmark = pytest.mark.slow

RATE, WIDTH, HEADS, CHANNELS, N_LAYERS, BUCKETS = 16_000, 128, 2, 8, 2, 16
KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)


def shapes(wavlm: bool) -> dict[str, tuple[int, ...]]:
    """The published names, in small sizes."""
    found = {"mask_emb": (WIDTH,), "layer_norm.weight": (CHANNELS,), "layer_norm.bias": (CHANNELS,)}
    for i, kernel in enumerate(KERNELS):
        found[f"feature_extractor.conv_layers.{i}.0.weight"] = (
            CHANNELS,
            CHANNELS if i else 1,
            kernel,
        )
    found |= {f"feature_extractor.conv_layers.0.2.{p}": (CHANNELS,) for p in ("weight", "bias")}
    found |= {"post_extract_proj.weight": (WIDTH, CHANNELS), "post_extract_proj.bias": (WIDTH,)}
    found |= {
        "encoder.pos_conv.0.weight_v": (WIDTH, WIDTH // 4, 16),
        "encoder.pos_conv.0.weight_g": (1, 1, 16),
        "encoder.pos_conv.0.bias": (WIDTH,),
    }
    found |= {f"encoder.layer_norm.{p}": (WIDTH,) for p in ("weight", "bias")}
    for i in range(N_LAYERS):
        at = f"encoder.layers.{i}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            found[f"{at}.self_attn.{name}.weight"] = (WIDTH, WIDTH)
            found[f"{at}.self_attn.{name}.bias"] = (WIDTH,)
        for name in ("self_attn_layer_norm", "final_layer_norm"):
            found |= {f"{at}.{name}.{p}": (WIDTH,) for p in ("weight", "bias")}
        found |= {f"{at}.fc1.weight": (24, WIDTH), f"{at}.fc1.bias": (24,)}
        found |= {f"{at}.fc2.weight": (WIDTH, 24), f"{at}.fc2.bias": (WIDTH,)}
        if wavlm:
            found[f"{at}.self_attn.grep_linear.weight"] = (8, WIDTH // HEADS)
            found[f"{at}.self_attn.grep_linear.bias"] = (8,)
            found[f"{at}.self_attn.grep_a"] = (1, HEADS, 1, 1)
    if wavlm:
        found["encoder.layers.0.self_attn.relative_attention_bias.weight"] = (BUCKETS, HEADS)
    return found


def random_weights(found: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return {name: 0.3 * torch.randn(shape, generator=draw) for name, shape in found.items()}


def affine(w, name, x):
    return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])


def normed(w, name, x):
    return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])


def frames_of(w, wave):
    x = wave[:, None]
    for i, stride in enumerate(STRIDES):
        x = F.conv1d(x, w[f"feature_extractor.conv_layers.{i}.0.weight"], stride=stride)
        if i == 0:
            at = "feature_extractor.conv_layers.0.2"
            x = F.group_norm(x, CHANNELS, w[f"{at}.weight"], w[f"{at}.bias"])
        x = F.gelu(x)
    return affine(w, "post_extract_proj", normed(w, "layer_norm", x.transpose(1, 2)))


def bucket(distance: int) -> int:
    """WavLM's bucket of a relative position; half of them for each direction."""
    half = BUCKETS // 2
    exact = half // 2
    begin, far = (half if distance > 0 else 0), abs(distance)
    if far < exact:
        return begin + far
    log = math.log(far / exact) / math.log(800 / exact) * (half - exact)
    return begin + min(exact + int(log), half - 1)


def attention(w, at, x, keep, bias_of):
    n, width = x.shape[1], WIDTH // HEADS
    q, k, v = (
        affine(w, f"{at}.{name}_proj", x).view(1, n, HEADS, width).transpose(1, 2) for name in "qkv"
    )
    scores = q @ k.transpose(2, 3) / math.sqrt(width)
    if bias_of is not None:
        gates = affine(w, f"{at}.grep_linear", x.view(1, n, HEADS, width).transpose(1, 2))
        a, b = torch.sigmoid(gates.view(1, HEADS, n, 2, 4).sum(-1)).chunk(2, dim=-1)
        scores = scores + (a * (b * w[f"{at}.grep_a"] - 1) + 2) * bias_of
    scores = scores.masked_fill(~keep, -torch.inf)
    mixed = (scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(1, n, WIDTH)
    return affine(w, f"{at}.out_proj", mixed)


def twin_layers(w, wave, keep=None) -> list[torch.Tensor]:
    """What goes into the first layer and comes out of each one, `[frames, width]`."""
    x = frames_of(w, wave)
    n = x.shape[1]
    keep = torch.ones(n, dtype=torch.bool) if keep is None else keep
    x = x * keep[:, None]
    v = w["encoder.pos_conv.0.weight_v"]
    kernel = v * w["encoder.pos_conv.0.weight_g"] / v.norm(dim=(0, 1), keepdim=True)
    position = F.conv1d(
        x.transpose(1, 2), kernel, w["encoder.pos_conv.0.bias"], padding=8, groups=4
    )[:, :, :-1]
    x = normed(w, "encoder.layer_norm", x + F.gelu(position).transpose(1, 2))
    table = w.get("encoder.layers.0.self_attn.relative_attention_bias.weight")
    bias = None
    if table is not None:
        by_distance = torch.tensor([bucket(distance) for distance in range(-n, n)])
        places = torch.arange(n)
        bias = table[by_distance[places - places[:, None] + n]].permute(2, 0, 1)[None]
    layers = [x[0]]
    for i in range(N_LAYERS):
        at = f"encoder.layers.{i}"
        x = normed(
            w, f"{at}.self_attn_layer_norm", x + attention(w, f"{at}.self_attn", x, keep, bias)
        )
        wide = F.gelu(affine(w, f"{at}.fc1", x))
        x = normed(w, f"{at}.final_layer_norm", x + affine(w, f"{at}.fc2", wide))
        layers.append(x[0])
    return layers


def clip(seconds: float) -> Audio:
    samples = np.random.default_rng(0).standard_normal((1, round(seconds * RATE)))
    return Audio((0.1 * samples).astype(np.float32), RATE)


@pytest.mark.parametrize("architecture", ["Wav2Vec2", "WavLM"])
def test_an_encoder_is_its_twin_on_the_published_names(architecture):
    weights = random_weights(shapes(architecture == "WavLM"))
    wave = torch.from_numpy(clip(0.7).samples)
    found = load_encoder(architecture, weights)(wave).last_hidden_state[0]
    assert torch.allclose(found, twin_layers(weights, wave)[-1], atol=1e-4)


def prefixed(prefix: str, weights: dict) -> dict:
    return {f"{prefix}{name}": weight for name, weight in weights.items()}


@pytest.fixture(scope="module")
def utmos_weights():
    weights = prefixed("wav2vec2.", random_weights(shapes(wavlm=False)))
    hidden, inputs = 6, WIDTH + 3 + 2
    sizes = {"domain_emb": (1, 3), "judge_emb": (1, 2), "projection.0.weight": (5, 2 * hidden)}
    sizes |= {"projection.0.bias": (5,), "projection.2.weight": (1, 5), "projection.2.bias": (1,)}
    for way in ("", "_reverse"):
        sizes |= {
            f"blstm.weight_ih_l0{way}": (4 * hidden, inputs),
            f"blstm.weight_hh_l0{way}": (4 * hidden, hidden),
            f"blstm.bias_ih_l0{way}": (4 * hidden,),
            f"blstm.bias_hh_l0{way}": (4 * hidden,),
        }
    return weights | random_weights(sizes, seed=1)


def one_way(w, x, way: str) -> torch.Tensor:
    """An LSTM over `[frames, inputs]`, gate by gate."""
    h = c = torch.zeros(w["blstm.weight_hh_l0"].shape[1])
    outputs = []
    for frame in x.flip(0) if way else x:
        gates = F.linear(frame, w[f"blstm.weight_ih_l0{way}"], w[f"blstm.bias_ih_l0{way}"])
        gates = gates + F.linear(h, w[f"blstm.weight_hh_l0{way}"], w[f"blstm.bias_hh_l0{way}"])
        i, f, g, o = gates.chunk(4)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    return torch.stack(outputs).flip(0) if way else torch.stack(outputs)


def test_utmos_is_its_twin(tmp_path, utmos_weights):
    torch.save(utmos_weights, tmp_path / "utmos.pt")
    audio = clip(0.5)
    (values,) = utmos.load(model=str(tmp_path / "utmos.pt"))([Item("clip", audio)])
    w = utmos_weights
    encoder = {k.removeprefix("wav2vec2."): v for k, v in w.items() if k.startswith("wav2vec2.")}
    frames = twin_layers(encoder, torch.from_numpy(audio.samples))[-1]
    beside = torch.cat([w["domain_emb"], w["judge_emb"]], dim=1).expand(len(frames), -1)
    x = torch.cat([frames, beside], dim=1)
    context = torch.cat([one_way(w, x, ""), one_way(w, x, "_reverse")], dim=1)
    score = affine(w, "projection.2", affine(w, "projection.0", context).relu()).mean()
    assert values["utmos"] == pytest.approx(float(score) * 2 + 3, abs=1e-4)


TARGETS = {axis: {"mean": 4.0 + k, "std": 1.0 + k} for k, axis in enumerate(aesthetics.AXES)}
SETTINGS = {
    "proj_num_layer": 2, "proj_ln": True, "proj_act_fn": "gelu", "proj_dropout": 0.1,
    "nth_layer": N_LAYERS + 1, "use_weighted_layer_sum": True, "precision": "bf16",
    "normalize_embed": True, "output_dim": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint():
    sizes = {}
    for axis in aesthetics.AXES:
        sizes |= {f"layer_weights.{axis}": (N_LAYERS + 1,)}
        sizes |= {
            f"proj_layer.{axis}.0.weight": (WIDTH, WIDTH),
            f"proj_layer.{axis}.0.bias": (WIDTH,),
        }
        sizes |= {f"proj_layer.{axis}.1.{p}": (WIDTH,) for p in ("weight", "bias")}
        sizes |= {f"proj_layer.{axis}.4.weight": (1, WIDTH), f"proj_layer.{axis}.4.bias": (1,)}
    weights = prefixed("wavlm_model.", random_weights(shapes(wavlm=True)))
    weights |= random_weights(sizes, seed=2)
    state = prefixed("model.", weights)
    return {"state_dict": state, "model_cfg": SETTINGS, "target_transform": TARGETS}


def twin_aesthetics(checkpoint, window: np.ndarray, axis: str) -> float:
    """One window that is filled up to 10 s."""
    w = {name.removeprefix("model."): v for name, v in checkpoint["state_dict"].items()}
    encoder = {
        k.removeprefix("wavlm_model."): v for k, v in w.items() if k.startswith("wavlm_model.")
    }
    padded = torch.zeros(1, 160_000)
    padded[0, : len(window)] = torch.from_numpy(window)
    silent = torch.ones(160_000, dtype=torch.bool)
    silent[: len(window)] = False
    # 499 frames of 320 samples; a frame is padding when all of its samples are.
    keep = ~silent[: 499 * 320].view(499, 320).all(dim=1)
    layers = torch.stack(twin_layers(encoder, padded, keep), dim=-1)
    mixed = layers @ w[f"layer_weights.{axis}"].softmax(dim=0)
    embedding = mixed[keep].sum(dim=0) / keep.sum()
    embedding = embedding / embedding.norm()
    at = f"proj_layer.{axis}"
    wide = F.gelu(normed(w, f"{at}.1", affine(w, f"{at}.0", embedding)))
    return float(affine(w, f"{at}.4", wide)) * TARGETS[axis]["std"] + TARGETS[axis]["mean"]


def test_aesthetics_are_their_twin_weighted_by_the_length_of_the_windows(tmp_path, checkpoint):
    torch.save(checkpoint, tmp_path / "checkpoint.pt")
    measure = aesthetics.load(model=str(tmp_path / "checkpoint.pt"))
    long, short = clip(12.5), clip(3.0)
    whole, alone = measure([Item("long", long), Item("short", short)])
    first, rest = long.samples[0, :160_000], long.samples[0, 160_000:]
    for axis, name in aesthetics.AXES.items():
        parts = [twin_aesthetics(checkpoint, window, axis) for window in (first, rest)]
        assert whole[name] == pytest.approx((10 * parts[0] + 2.5 * parts[1]) / 12.5, abs=1e-3)
        expected = twin_aesthetics(checkpoint, short.samples[0], axis)
        assert alone[name] == pytest.approx(expected, abs=1e-3)


def test_other_weights_are_refused(tmp_path, utmos_weights, checkpoint):
    path = tmp_path / "weights.pt"
    short = {k: v for k, v in utmos_weights.items() if k != "wav2vec2.encoder.layers.1.fc1.bias"}
    torch.save(short, path)
    with pytest.raises(ConfigError, match=r"the weights of a Wav2Vec2 base encoder in fairseq's"):
        utmos.load(model=str(path))
    torch.save({k: v for k, v in utmos_weights.items() if "blstm" not in k}, path)
    with pytest.raises(ConfigError, match=r"expected the weights of UTMOS"):
        utmos.load(model=str(path))
    torch.save(utmos_weights, path)
    with pytest.raises(ConfigError, match=r"expected the checkpoint of audiobox-aesthetics"):
        aesthetics.load(model=str(path))
    torch.save(checkpoint | {"model_cfg": SETTINGS | {"proj_act_fn": "relu"}}, path)
    with pytest.raises(ConfigError, match=r"expected the checkpoint of audiobox-aesthetics"):
        aesthetics.load(model=str(path))


class Surprise:
    """What a pickle could do on loading."""

    def __reduce__(self):
        return print, ("executed",)


def test_a_file_that_is_missing_or_holds_anything_else_is_refused_and_not_executed(
    tmp_path, capsys
):
    path = tmp_path / "weights.pt"
    with pytest.raises(ConfigError, match=r"published at github.com/tarepan/.* got nothing"):
        utmos.load()
    with pytest.raises(ConfigError, match=r"published at dl.fbaipublicfiles.*checkpoint.pt, got '"):
        aesthetics.load(model=str(path))
    for content in (Surprise(), torch.zeros(2)):
        torch.save(content, path)
        with pytest.raises(ConfigError, match=r"holds no weights"):
            utmos.load(model=str(path))
    path.write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"holds no weights"):
        utmos.load(model=str(path))
    assert capsys.readouterr().out == ""
