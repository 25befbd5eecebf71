"""Whole models by name: architecture, masks and optimizer, with new weights."""

import math
import os
import pathlib
from collections.abc import Callable
from typing import Any

import keras

from keras_simmim import aggregation, backbones, heads, masking
from keras_simmim.backbones.sizes import check_image_shape
from keras_simmim.models.simmim import SimMIM


def from_preset(name: str, **arguments: Any) -> SimMIM:
    """Make the preset of this name, or read pretrained weights.

    Raises:
        ValueError: for an unknown name, or weights that do not fit.
    """
    presets: dict[str, Callable[..., SimMIM]] = {
        "article_cnn": article_cnn,
        "article_learned_mask": article_learned_mask,
        "multimodal_vit_tiny": multimodal_vit_tiny,
        "simmim_vit_tiny": simmim_vit_tiny,
        "simmim_vit_small": simmim_vit_small,
        "simmim_vit_base": simmim_vit_base,
        "simmim_swin_tiny": simmim_swin_tiny,
        "simmim_swin_base": simmim_swin_base,
        "simmim_swin_large": simmim_swin_large,
    }
    if name in presets:
        return presets[name](**arguments)
    address = os.fspath(name)
    is_file = address.endswith((".pth", ".keras"))
    if address.startswith("hf://") or is_file or pathlib.Path(address).is_dir():
        from keras_simmim import pretrained

        return pretrained.load(address, **arguments)
    raise ValueError(
        f"preset must be one of {sorted(presets)}, a file that ends in .pth or .keras, a "
        f"directory, or hf://owner/name, got {name!r}."
    )


def article_cnn(
    image_shape: tuple[int, int, int] = (224, 224, 3), *, num_classes: int, seed: int = 0
) -> SimMIM:
    """Build the article's case study, which learns from labels.

    One 3×3 convolution to 64 channels with ReLU, features ⊙ a random mask of half the positions,
    the mean over channels, softmax(FC(·)). Compiled with Adam at 1e-3.

    Args:
        image_shape: (H, W, C) in pixels.
        num_classes: number of classes.
        seed: of the masks.

    Source: "Self-supervised Modeling with Multi-modal Iterative Masking", the case study.

    Example:
    ```python
    import keras_simmim as ks
    import numpy as np

    model = ks.presets.article_cnn((32, 32, 3), num_classes=10)
    model(np.zeros((2, 32, 32, 3))).shape   # (2, 10)
    ```
    """
    model = SimMIM(
        backbones.ConvNet(image_shape, filters=(64,)),
        masking.SpatialMasking(0.5, block_size=1, seed=seed),
        aggregator=aggregation.ChannelMean(),
        classifier=heads.ClassificationHead(num_classes, pooling="flatten"),
        mask_token=False,
        reconstruction_weight=0,
    )
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def article_learned_mask(
    image_shape: tuple[int, int, int] = (224, 224, 3), *, num_classes: int
) -> SimMIM:
    """Build the article's sample network as it was meant, which learns from labels.

    One 3×3 convolution to 64 channels, a linear layer 64→1 that dims every position by a factor
    between 0 and 1, the mean over space, and two linear layers, 64→10→classes. Compiled with
    Adam at 1e-3.

    Args:
        image_shape: (H, W, C) in pixels.
        num_classes: number of classes.

    Source: "Self-supervised Modeling with Multi-modal Iterative Masking", the sample code.

    Example:
    ```python
    import keras_simmim as ks
    import numpy as np

    model = ks.presets.article_learned_mask((32, 32, 3), num_classes=10)
    model(np.zeros((2, 32, 32, 3))).shape   # (2, 10)
    ```
    """
    model = SimMIM(
        backbones.ConvNet(image_shape, filters=(64,)),
        masking.SoftMasking(),
        aggregator=aggregation.SpatialMean(),
        classifier=heads.ClassificationHead(num_classes, hidden_dim=10),
        mask_token=False,
        reconstruction_weight=0,
    )
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def multimodal_vit_tiny(
    image_shape: tuple[int, int, int] = (224, 224, 3),
    *,
    num_classes: int | None = None,
    seed: int = 0,
) -> SimMIM:
    """Build a ViT of 192 dimensions under color, space and texture in three cumulative rounds.

    The patch is the largest divisor of both sides up to 16 pixels that leaves at least eight
    patches a side, where there is one (224→16, 96→12, 64→8, 32→4). The masks hide pixels, in
    blocks of 2×2 patches where the grid is even. Compiled with AdamW at 1e-3.

    Args:
        image_shape: (H, W, C) in pixels, C at least 2.
        num_classes: number of classes, or None to train without labels.
        seed: of the masks.

    Raises:
        ValueError: for one channel, or sides whose only common divisor leaves too few patches.

    Source: "Self-supervised Modeling with Multi-modal Iterative Masking"; the sizes are those of
    DeiT-Tiny (Touvron et al., ICML 2021).

    Example:
    ```python
    import keras_simmim as ks

    model = ks.presets.multimodal_vit_tiny((32, 32, 3))
    model.backbone.feature_shape   # (8, 8, 192)
    ```
    """
    height, width, _ = check_image_shape(image_shape)
    side = math.gcd(height, width)
    divisors = [size for size in range(2, min(16, side) + 1) if side % size == 0]
    fitting = [size for size in divisors if min(height, width) // size >= 8] or divisors[:1]
    if not fitting:
        raise ValueError(
            "image_shape must have a height and width with a common divisor from 2 to 16, "
            f"the patch, got {image_shape!r}."
        )
    patch = fitting[-1]
    block = patch if (height // patch) % 2 or (width // patch) % 2 else 2 * patch
    modalities = [masking.SpatialMasking(), masking.ColorMasking(), masking.TextureMasking()]
    model = SimMIM(
        backbones.ViT(image_shape, patch, num_layers=12, num_heads=3, hidden_dim=192),
        masking.IterativeMasking(modalities, block_size=block, seed=seed),
        classifier=None if num_classes is None else heads.ClassificationHead(num_classes),
        mask_on="pixels",
    )
    model.compile(keras.optimizers.AdamW(1e-3, weight_decay=0.05, global_clipnorm=5.0))
    return model


def paper_simmim(backbone: backbones.Backbone, seed: int = 0, **normalization: Any) -> SimMIM:
    """Put the paper's arrangement around a ViT or Swin.

    Blocks of 32 pixels, of which 0.6 are hidden by a mask token after the patch embedding, and
    one linear layer to the pixels. Where 32 pixels do not fit twice into a side, or do not divide
    it, the blocks are the largest smaller ones that do. Compiled with AdamW at 1e-4;
    `training.pretraining_recipe` has the schedules.

    Args:
        backbone: the network to pretrain.
        seed: of the masks.
        **normalization: `mean` and `std` of `SimMIM`.

    Source: Xie et al., "SimMIM: A Simple Framework for Masked Image Modeling", CVPR 2022.
    """
    rows, columns, _ = backbone.stem_shape
    side = math.gcd(rows, columns)
    largest = max(min(32 // backbone.patch_size, side // 2), 1)
    block = max(size for size in range(1, largest + 1) if side % size == 0)
    model = SimMIM(backbone, masking.SpatialMasking(0.6, block, seed=seed), **normalization)
    model.compile(keras.optimizers.AdamW(1e-4, weight_decay=0.05, global_clipnorm=5.0))
    return model


def simmim_vit(
    image_shape: tuple[int, int, int], hidden_dim: int, num_heads: int, seed: int
) -> SimMIM:
    """Build the paper's ViT with 12 blocks and patches of 16 pixels, in the official variant."""
    backbone = backbones.ViT(
        image_shape,
        patch_size=16,
        num_layers=12,
        num_heads=num_heads,
        hidden_dim=hidden_dim,
        position_embedding=False,
        relative_position_bias="shared",
        class_token=True,
        query_key_value_bias="query_value",
        layer_scale=0.1,
        drop_path_rate=0.1,
        official_initialization=True,
        seed=seed,
    )
    return paper_simmim(backbone, seed)


def simmim_swin(
    image_shape: tuple[int, int, int],
    hidden_dim: int,
    depths: tuple[int, ...],
    window_size: int,
    seed: int,
) -> SimMIM:
    """Build the paper's Swin, whose heads have 32 channels."""
    num_heads = tuple(hidden_dim * 2**stage // 32 for stage in range(len(depths)))
    backbone = backbones.Swin(image_shape, 4, hidden_dim, depths, num_heads, window_size, seed=seed)
    return paper_simmim(backbone, seed)


def simmim_vit_tiny(image_shape: tuple[int, int, int] = (224, 224, 3), seed: int = 0) -> SimMIM:
    """Build the paper's SimMIM on an unpublished ViT of 192 dimensions and 3 heads."""
    return simmim_vit(image_shape, 192, 3, seed)


def simmim_vit_small(image_shape: tuple[int, int, int] = (224, 224, 3), seed: int = 0) -> SimMIM:
    """Build the paper's SimMIM on an unpublished ViT of 384 dimensions and 6 heads."""
    return simmim_vit(image_shape, 384, 6, seed)


def simmim_vit_base(image_shape: tuple[int, int, int] = (224, 224, 3), seed: int = 0) -> SimMIM:
    """Build the paper's SimMIM on ViT-B: 768 dimensions, 12 heads."""
    return simmim_vit(image_shape, 768, 12, seed)


def simmim_swin_tiny(image_shape: tuple[int, int, int] = (192, 192, 3), seed: int = 0) -> SimMIM:
    """Build the paper's SimMIM on Swin-T: 96 dimensions, windows of 6 (not published)."""
    return simmim_swin(image_shape, 96, (2, 2, 6, 2), 6, seed)


def simmim_swin_base(image_shape: tuple[int, int, int] = (192, 192, 3), seed: int = 0) -> SimMIM:
    """Build the paper's SimMIM on Swin-B: 128 dimensions, windows of 6."""
    return simmim_swin(image_shape, 128, (2, 2, 18, 2), 6, seed)


def simmim_swin_large(image_shape: tuple[int, int, int] = (192, 192, 3), seed: int = 0) -> SimMIM:
    """Build the paper's SimMIM on Swin-L: 192 dimensions, windows of 12."""
    return simmim_swin(image_shape, 192, (2, 2, 18, 2), 12, seed)
