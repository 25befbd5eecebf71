"""Random brightness, contrast and saturation of a batch of images, the same on every backend."""

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.layers.hashing import random_uniform

# Keeps these draws apart from those of masks and of stochastic depth, which hash the same words.
_SALT = 0x4A697474
# What red, green and blue weigh in a gray image, as in ITU-R BT.601. They add up to 1.
_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114


def jitter_colors(images: Tensor, strength: float, seed: int, step: Tensor | int) -> Tensor:
    """Change brightness, contrast and saturation of each image by factors drawn for it.

    An image x becomes f·x + (1 − f)·y, clipped to 0–255, three times: for brightness y is black,
    for contrast the mean of the gray image, for saturation the gray image. Each f is uniform
    between 1 − strength and 1 + strength, a function of (seed, step, number of the image) that is
    the same on every backend. The order is always this one, where torchvision draws it: without
    the clipping, it would make no difference. Nothing is rounded to whole numbers.

    Args:
        images: float32 (B, H, W, C), 0–255, C = 3 or 1. The saturation of gray images (C = 1)
            stays as it is.
        strength: largest distance of a factor from 1; 0 ≤ strength ≤ 1.
        seed: 0 ≤ seed < 2³¹.
        step: int32 scalar.

    Returns:
        float32 (B, H, W, C), 0–255.

    Raises:
        ValueError: for another number of channels than 1 and 3.

    Source: `ColorJitter` of torchvision, with the weights of gray of Pillow.

    Example:
    ```python
    from keras import ops
    from keras_simmim.training.color_jitter import jitter_colors

    images = ops.full((8, 16, 16, 3), 100.0)
    jittered = jitter_colors(images, strength=0.4, seed=0, step=5)
    jittered.shape  # (8, 16, 16, 3): one gray for each image, from 60 to 140
    ```
    """
    channels = images.shape[-1]
    if channels not in (1, 3):
        raise ValueError(f"color_jitter needs images of 1 or 3 channels, got {channels}.")
    drawn = random_uniform(seed ^ _SALT, step, ops.shape(images)[0], 3)
    factors = ops.reshape(1.0 + strength * (2.0 * drawn - 1.0), (-1, 3, 1, 1, 1))
    images = _blend(images, 0.0, factors[:, 0])
    images = _blend(images, to_gray(ops.mean(images, axis=(1, 2), keepdims=True)), factors[:, 1])
    return images if channels == 1 else _blend(images, to_gray(images), factors[:, 2])


def _blend(images: Tensor, others: Tensor | float, factor: Tensor) -> Tensor:
    """Return factor·images + (1 − factor)·others, clipped to 0–255.

    Args:
        images: float32 (B, H, W, C).
        others: what `images` come closer to for factors below 1; broadcasts against them.
        factor: float32 (B, 1, 1, 1).

    Returns:
        float32 (B, H, W, C).
    """
    return ops.clip(factor * images + (1.0 - factor) * others, 0.0, 255.0)


def to_gray(images: Tensor) -> Tensor:
    """Return the gray image of each color image, and gray images as they are.

    Args:
        images: float32 (B, H, W, 3) or (B, H, W, 1).

    Returns:
        float32 (B, H, W, 1).
    """
    if images.shape[-1] == 1:
        return images
    return _RED * images[..., :1] + _GREEN * images[..., 1:2] + _BLUE * images[..., 2:]
