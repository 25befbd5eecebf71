"""The official SimMIM's pretraining checkpoints, as microsoft/SimMIM saves them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_simmim import backbones
from keras_simmim.models.simmim import SimMIM
from keras_simmim.pretrained.names import load_weights, resized, torch_name
from keras_simmim.pretrained.presets import paper_simmim

_COMMON = {
    "mask_token": "encoder.mask_token",
    "head": "decoder.0",
    "encoder/norm": "encoder.norm",
}
_VIT = {
    **_COMMON,
    "stem": "encoder.patch_embed.proj",
    "encoder/class_token": "encoder.cls_token",
    "encoder/position_embedding": "encoder.pos_embed",
    "encoder/relative_position_bias": "encoder.rel_pos_bias",
    r"encoder/block_(\d+)_relative_position_bias": r"encoder.blocks.\1.attn",
    r"encoder/block_(\d+)": r"encoder.blocks.\1",
}
_SWIN = {
    **_COMMON,
    "stem/patch_embedding": "encoder.patch_embed.proj",
    "stem/norm": "encoder.patch_embed.norm",
    "encoder/position_embedding": "encoder.absolute_pos_embed",
    r"encoder/stage_(\d+)_block_(\d+)": r"encoder.layers.\1.blocks.\2",
    r"encoder/merge_(\d+)": r"encoder.layers.\1.downsample",
}
_BLOCK = {
    "attention_norm": "norm1",
    "query_key_value": "attn.qkv",
    "query_bias": "attn.q_bias",
    "value_bias": "attn.v_bias",
    "relative_position_bias": "attn",
    "attention_output": "attn.proj",
    "attention_scale": "gamma_1",
    "mlp_norm": "norm2",
    "mlp_hidden": "mlp.fc1",
    "mlp_output": "mlp.fc2",
    "mlp_scale": "gamma_2",
}


def official_name(name: str, vit: bool) -> tuple[str]:
    """Return what the official code calls one of our weights."""
    parts = torch_name(name, _VIT if vit else _SWIN).split(".")
    if "blocks" in parts:
        parts = [_BLOCK.get(part, part) for part in parts]
    return (".".join(parts),)


def from_official(
    arrays: Mapping[str, np.ndarray],
    metadata: Mapping[str, Any],
    source: str,
    image_shape: tuple[int, int, int] | None = None,
) -> SimMIM:
    """Make a SimMIM with the architecture and the weights of an official checkpoint.

    The architecture follows from the shapes of the arrays; what they do not show, the size of
    Swin's images, from the configuration that the checkpoint holds, or is 192.

    Args:
        arrays: the checkpoint's arrays by name.
        metadata: what else it holds; "config" is the official configuration.
        source: where it comes from, for errors.
        image_shape: (H, W, C) of the images to pretrain on, in pixels; the checkpoint's if None.

    Raises:
        ValueError: for arrays that are those of no official SimMIM; it lists them.
    """
    vit = "encoder.cls_token" in arrays
    try:
        backbone = _vit(arrays, metadata) if vit else _swin(arrays, metadata)
    except (KeyError, IndexError) as error:
        raise ValueError(
            f"{source} is no pretraining checkpoint of the official SimMIM: {error} is missing. "
            f"It holds {sorted(arrays)[:20]}."
        ) from error
    model = paper_simmim(backbone)
    load_weights(model, arrays, lambda name: official_name(name, vit), source)
    return resized(model, image_shape)


def _vit(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> backbones.ViT:
    hidden_dim, channels, patch_size, _ = arrays["encoder.patch_embed.proj.weight"].shape
    tables = [name for name in arrays if name.endswith("relative_position_bias_table")]
    shared = "encoder.rel_pos_bias.relative_position_bias_table" in tables
    side = _image_side(metadata, 0)
    if tables:
        side = patch_size * _window(len(arrays[tables[0]]) - 3)
    elif "encoder.pos_embed" in arrays:
        side = patch_size * round((arrays["encoder.pos_embed"].shape[1] - 1) ** 0.5)
    scale = arrays.get("encoder.blocks.0.gamma_1")
    return backbones.ViT(
        (side or 224, side or 224, channels),
        patch_size,
        num_layers=_count(arrays, r"encoder\.blocks\.(\d+)\."),
        # Without a table nothing shows the number of heads; the official ones have 64 channels.
        num_heads=arrays[tables[0]].shape[1] if tables else max(hidden_dim // 64, 1),
        hidden_dim=hidden_dim,
        mlp_dim=len(arrays["encoder.blocks.0.mlp.fc1.weight"]),
        position_embedding="encoder.pos_embed" in arrays,
        relative_position_bias="shared" if shared else "block" if tables else None,
        class_token=True,
        query_key_value_bias="query_value" if "encoder.blocks.0.attn.q_bias" in arrays else "none",
        layer_scale=None if scale is None else 0.1,
        drop_path_rate=0.1,
        official_initialization=True,
    )


def _swin(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> backbones.Swin:
    hidden_dim, channels, patch_size, _ = arrays["encoder.patch_embed.proj.weight"].shape
    stages = range(_count(arrays, r"encoder\.layers\.(\d+)\."))
    table = "encoder.layers.{}.blocks.0.attn.relative_position_bias_table"
    side = _image_side(metadata, 192)
    return backbones.Swin(
        (side, side, channels),
        patch_size,
        hidden_dim=hidden_dim,
        depths=tuple(
            _count(arrays, rf"encoder\.layers\.{stage}\.blocks\.(\d+)\.") for stage in stages
        ),
        num_heads=tuple(arrays[table.format(stage)].shape[1] for stage in stages),
        window_size=_window(len(arrays[table.format(0)])),
        mlp_ratio=len(arrays["encoder.layers.0.blocks.0.mlp.fc1.weight"]) / hidden_dim,
        position_embedding="encoder.absolute_pos_embed" in arrays,
        query_key_value_bias=(
            "all" if "encoder.layers.0.blocks.0.attn.qkv.bias" in arrays else "none"
        ),
    )


def _count(arrays: Mapping[str, np.ndarray], pattern: str) -> int:
    """Count from 0 to the largest number that the pattern finds among the names."""
    found = [int(match[1]) for match in (re.match(pattern, name) for name in arrays) if match]
    if not found:
        raise KeyError(pattern)
    return max(found) + 1


def _window(offsets: int) -> int:
    """Return the side of the square whose table has this many offsets, (2·side − 1)²."""
    return (round(offsets**0.5) + 1) // 2


def _image_side(metadata: Mapping[str, Any], default: int) -> int:
    config = metadata.get("config")
    data = config.get("DATA") if isinstance(config, Mapping) else None
    side = data.get("IMG_SIZE") if isinstance(data, Mapping) else None
    return side if isinstance(side, int) else default
