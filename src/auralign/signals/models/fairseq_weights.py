"""wav2vec 2.0 and WavLM encoders from weights in fairseq's layout, as models of transformers.

Checkpoints that were trained with fairseq, or with Microsoft's WavLM code, name and nest their
weights in fairseq's way; the networks are the same as those of transformers. The names follow
transformers' own `convert_wav2vec2_...` and `convert_wavlm_original_pytorch_checkpoint...` scripts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from auralign.errors import ConfigError
from auralign.signals.models.optional import optional

if TYPE_CHECKING:
    from torch import Tensor, nn

Architecture = Literal["Wav2Vec2", "WavLM"]

STRIDES = (5, 2, 2, 2, 2, 2, 2)
HEAD_WIDTH = 64
MAX_DISTANCE = 800
"""Beyond this many frames, WavLM's relative positions are all one; 800 in the base models."""

_NAMES = (
    (r"^mask_emb$", "masked_spec_embed"),
    (r"^feature_extractor\.conv_layers\.(\d+)\.0\.", r"feature_extractor.conv_layers.\1.conv."),
    (r"^feature_extractor\.conv_layers\.0\.2\.", "feature_extractor.conv_layers.0.layer_norm."),
    (r"^layer_norm\.", "feature_projection.layer_norm."),
    (r"^post_extract_proj\.", "feature_projection.projection."),
    (r"^encoder\.pos_conv\.0\.bias", "encoder.pos_conv_embed.conv.bias"),
    (
        r"^encoder\.pos_conv\.0\.weight_g",
        "encoder.pos_conv_embed.conv.parametrizations.weight.original0",
    ),
    (
        r"^encoder\.pos_conv\.0\.weight_v",
        "encoder.pos_conv_embed.conv.parametrizations.weight.original1",
    ),
    (r"\.self_attn_layer_norm\.", ".layer_norm."),
    (r"\.self_attn\.grep_linear\.", ".attention.gru_rel_pos_linear."),
    (r"\.self_attn\.grep_a$", ".attention.gru_rel_pos_const"),
    (r"\.self_attn\.relative_attention_bias\.", ".attention.rel_attn_embed."),
    (r"\.self_attn\.", ".attention."),
    (r"\.fc1\.", ".feed_forward.intermediate_dense."),
    (r"\.fc2\.", ".feed_forward.output_dense."),
)


def load_encoder(architecture: Architecture, weights: Mapping[str, Tensor]) -> nn.Module:
    """The encoder with these weights, in evaluation mode; sizes are read off the weights.

    Base architecture: group norm in the first convolution, layer norm after each block, heads of
    width 64. Raises ConfigError when weights are missing, left over or of another shape.
    """
    transformers = optional("transformers", "mos")
    renamed = {_renamed(name): weight for name, weight in weights.items()}
    try:
        config = getattr(transformers, f"{architecture}Config")(**_sizes(weights))
        encoder = getattr(transformers, f"{architecture}Model")(config)
        encoder.load_state_dict(renamed)
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"expected the weights of a {architecture} base encoder in fairseq's layout, got "
            f"others ({str(error).splitlines()[0]}): choose the published file"
        ) from error
    encoder.eval().requires_grad_(False)
    return encoder  # type: ignore[no-any-return]


def _renamed(name: str) -> str:
    for pattern, replacement in _NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def _sizes(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    convolutions = [
        weights[f"feature_extractor.conv_layers.{i}.0.weight"].shape for i in range(len(STRIDES))
    ]
    width, per_group, kernel = weights["encoder.pos_conv.0.weight_v"].shape
    layers = {name.split(".")[2] for name in weights if name.startswith("encoder.layers.")}
    sizes = {
        "conv_dim": tuple(int(shape[0]) for shape in convolutions),
        "conv_kernel": tuple(int(shape[2]) for shape in convolutions),
        "conv_stride": STRIDES,
        "hidden_size": int(width),
        "intermediate_size": int(weights["encoder.layers.0.fc1.weight"].shape[0]),
        "num_hidden_layers": len(layers),
        "num_attention_heads": int(width) // HEAD_WIDTH,
        "num_conv_pos_embeddings": int(kernel),
        "num_conv_pos_embedding_groups": int(width) // int(per_group),
    }
    buckets = weights.get("encoder.layers.0.self_attn.relative_attention_bias.weight")
    if buckets is not None:
        sizes |= {"num_buckets": int(buckets.shape[0]), "max_bucket_distance": MAX_DISTANCE}
    return sizes
