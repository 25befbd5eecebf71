"""Hugging Face's ViTForMaskedImageModeling and SwinForMaskedImageModeling."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_simmim import backbones
from keras_simmim.models.simmim import SimMIM
from keras_simmim.pretrained.names import load_weights, resized, torch_name
from keras_simmim.pretrained.presets import paper_simmim

_VIT = {
    "mask_token": "vit.embeddings.mask_token",
    "stem": "vit.embeddings.patch_embeddings.projection",
    "encoder/class_token": "vit.embeddings.cls_token",
    "encoder/position_embedding": "vit.embeddings.position_embeddings",
    r"encoder/block_(\d+)": r"vit.encoder.layer.\1",
    "encoder/norm": "vit.layernorm",
    "head": "decoder.0",
}
_SWIN = {
    "mask_token": "swin.embeddings.mask_token",
    "stem/patch_embedding": "swin.embeddings.patch_embeddings.projection",
    "stem/norm": "swin.embeddings.norm",
    "encoder/position_embedding": "swin.embeddings.position_embeddings",
    r"encoder/stage_(\d+)_block_(\d+)": r"swin.encoder.layers.\1.blocks.\2",
    r"encoder/merge_(\d+)": r"swin.encoder.layers.\1.downsample",
    "encoder/norm": "swin.layernorm",
    "head": "decoder.0",
}
_BLOCK = {
    "attention_norm": "layernorm_before",
    "attention_output": "attention.output.dense",
    "mlp_norm": "layernorm_after",
    "mlp_hidden": "intermediate.dense",
    "mlp_output": "output.dense",
}

# Swin's masks grow with the image, and no weight shows its size.
_LARGEST_SIDE = 4096


def hugging_face_names(name: str, vit: bool) -> tuple[str, ...]:
    """Return what Hugging Face calls one of our weights: three names for queries, keys, values."""
    attention = "attention.attention" if vit else "attention.self"
    blocks = {**_BLOCK, "relative_position_bias": attention}
    translated = torch_name(name, _VIT if vit else _SWIN)
    if re.search(r"block_\d", name):
        translated = ".".join(blocks.get(part, part) for part in translated.split("."))
    if "query_key_value" not in translated:
        return (translated,)
    return tuple(
        translated.replace("query_key_value", f"{attention}.{part}")
        for part in ("query", "key", "value")
    )


def from_hugging_face(
    arrays: Mapping[str, np.ndarray],
    config: Mapping[str, Any],
    source: str,
    image_shape: tuple[int, int, int] | None = None,
    **normalization: Any,
) -> SimMIM:
    """Make a SimMIM with the architecture and the weights of a Hugging Face model.

    Args:
        arrays: the weights by name.
        config: the contents of config.json.
        source: where the model comes from, for errors.
        image_shape: (H, W, C) of the images to pretrain on, in pixels; the model's if None.
        **normalization: `mean` and `std` of `SimMIM`.

    Raises:
        ValueError: for another architecture, or weights that do not fit; it lists them.
    """
    kind = config.get("model_type")
    if kind not in ("vit", "swin"):
        raise ValueError(f"{source} has model_type {kind!r}; 'vit' and 'swin' can be read.")
    if config.get("hidden_act", "gelu") != "gelu":
        raise ValueError(
            f"{source} has hidden_act {config['hidden_act']!r}; only the exact 'gelu' can be read."
        )
    _check_sizes(arrays, config, source)
    try:
        backbone = _vit(config) if kind == "vit" else _swin(config)
    except KeyError as error:
        raise ValueError(f"{source}: config.json has no {error}.") from error
    model = paper_simmim(backbone, **normalization)
    load_weights(model, arrays, lambda name: hugging_face_names(name, kind == "vit"), source)
    return resized(model, image_shape)


def _check_sizes(arrays: Mapping[str, np.ndarray], config: Mapping[str, Any], source: str) -> None:
    """Refuse the configuration of a network far larger than its weights: it is built first."""
    lengths = max((max(array.shape, default=0) for array in arrays.values()), default=0)
    most = {
        "num_hidden_layers": len(arrays),
        "depths": len(arrays),
        "hidden_size": lengths,
        "embed_dim": lengths,
        "intermediate_size": lengths,
        "num_channels": lengths,
        "patch_size": lengths,
        "window_size": lengths,
        "mlp_ratio": lengths,
        "image_size": _LARGEST_SIDE,
    }
    for name, largest in most.items():
        value = config.get(name, 0)
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, int | float) and not number <= largest:
                raise ValueError(
                    f"{source}: config.json says {name}={value!r}, which its weights do not have."
                )


def _image_shape(config: Mapping[str, Any]) -> tuple[int, int, int]:
    size = config["image_size"]
    height, width = size if isinstance(size, list | tuple) else (size, size)
    return (height, width, config["num_channels"])


def _vit(config: Mapping[str, Any]) -> backbones.ViT:
    return backbones.ViT(
        _image_shape(config),
        config["patch_size"],
        num_layers=config["num_hidden_layers"],
        num_heads=config["num_attention_heads"],
        hidden_dim=config["hidden_size"],
        mlp_dim=config["intermediate_size"],
        epsilon=config["layer_norm_eps"],
        class_token=True,
        query_key_value_bias="all" if config.get("qkv_bias", True) else "none",
    )


def _swin(config: Mapping[str, Any]) -> backbones.Swin:
    return backbones.Swin(
        _image_shape(config),
        config["patch_size"],
        hidden_dim=config["embed_dim"],
        depths=tuple(config["depths"]),
        num_heads=tuple(config["num_heads"]),
        window_size=config["window_size"],
        mlp_ratio=config["mlp_ratio"],
        epsilon=config["layer_norm_eps"],
        position_embedding=config.get("use_absolute_embeddings", False),
        query_key_value_bias="all" if config.get("qkv_bias", True) else "none",
        drop_path_rate=config.get("drop_path_rate", 0.0),
    )
