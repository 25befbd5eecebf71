"""What a reconstruction may aim at beside the pixels themselves."""

import numpy as np
from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.masking.blocks import join_blocks, split_blocks

# Frequencies from 40 of the 224 of an image on are left out, as in PixMIM.
CUTOFF = 40 / 224


def patch_statistics(pixels: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Compute the mean and the deviation of each patch, over all its pixels and channels.

    Args:
        pixels: (B, H, W, C).
        grid: numbers of rows and columns of patches.

    Returns:
        The mean, and √(σ² + 10⁻⁶) with the unbiased variance σ², float32 (B, H, W, C) each, the
        same in every pixel of a patch.

    Source: `norm_pix_loss` of He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR
    2022.

    Example:
    ```python
    from keras import ops
    from keras_simmim.objectives.targets import patch_statistics

    pixels = ops.reshape(ops.convert_to_tensor([1.0, 3.0, 1.0, 3.0]), (1, 2, 2, 1))
    mean, deviation = patch_statistics(pixels, (1, 1))
    float(mean[0, 0, 0, 0]), float(deviation[0, 0, 0, 0])   # 2.0, 1.1547: √(4 / 3)
    ```
    """
    blocks = split_blocks(ops.cast(pixels, "float32"), grid)
    axes = (3, 5, 6)
    count = int(np.prod([blocks.shape[axis] for axis in axes]))
    mean = ops.mean(blocks, axis=axes, keepdims=True)
    squares = ops.sum(ops.square(blocks - mean), axis=axes, keepdims=True)
    deviation = ops.sqrt(squares / max(count - 1, 1) + 1e-6)
    wide = (join_blocks(ops.broadcast_to(part, ops.shape(blocks))) for part in (mean, deviation))
    mean, deviation = (ops.reshape(part, (-1, *pixels.shape[1:])) for part in wide)
    return mean, deviation


def low_pass(pixels: Tensor) -> Tensor:
    """Leave the high frequencies out of images, by an ideal filter.

    Those remain whose distance from 0 is below 40/224 of an image's side: √((u/H)² + (v/W)²) for
    frequencies u and v.

    Args:
        pixels: (B, H, W, C).

    Returns:
        float32 (B, H, W, C).

    Source: Liu et al., "PixMIM: Rethinking Pixel Reconstruction in Masked Image Modeling", 2023,
    whose filter at 224² has the radius 40.

    Example:
    ```python
    from keras import ops
    from keras_simmim.objectives.targets import low_pass

    rows = ops.reshape(ops.convert_to_tensor([1.0, 0.0] * 8), (1, 16, 1, 1))
    images = ops.broadcast_to(rows, (1, 16, 16, 1))   # stripes, as fine as can be
    round(float(ops.max(ops.abs(low_pass(images) - 0.5))), 3)   # 0.0: their mean is left
    ```
    """
    pixels = ops.cast(pixels, "float32")
    _, height, width, _ = pixels.shape
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)
    kept = (np.hypot(rows, columns) < CUTOFF).astype("float64")
    # Products with fixed real matrices, which every backend compiles, instead of transforms.
    impulse = np.real(np.fft.ifft2(kept))
    transformed = np.fft.rfft(impulse, axis=1)
    return _circular(pixels, transformed, height, width)


def _circular(pixels: Tensor, filters: np.ndarray, height: int, width: int) -> Tensor:
    """Convolve images circularly with a kernel, given as its transform along the columns.

    Args:
        pixels: float32 (B, H, W, C).
        filters: complex (H, W // 2 + 1), for each frequency of the columns a kernel of the rows,
            real for a kernel that is symmetric.
        height: H.
        width: W.
    """
    kept = np.flatnonzero(np.abs(filters).max(axis=0) > 1e-12)
    places = np.arange(width)
    phases = 2 * np.pi * np.outer(kept, places) / width
    weights = np.where((kept == 0) | (2 * kept == width), 1.0, 2.0)[:, None] / width
    kernels = np.real(filters[:, kept])
    shifts = (np.arange(height)[:, None] - np.arange(height)) % height
    circulants = np.transpose(kernels[shifts], (2, 0, 1))
    result = 0.0
    for wave in (np.cos(phases), np.sin(phases)):
        forward, backward, rows = (
            ops.convert_to_tensor(part.astype("float32"))
            for part in (wave, wave * weights, circulants)
        )
        spectrum = ops.einsum("bhwc,kw->bkhc", pixels, forward)
        spectrum = ops.einsum("kgh,bkhc->bkgc", rows, spectrum)
        result = result + ops.einsum("bkgc,kw->bgwc", spectrum, backward)
    return result
