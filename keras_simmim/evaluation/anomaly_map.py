"""Where images are not as a model expects them to be."""

import math
from typing import Any

import numpy as np

from keras_simmim.backend import distribution
from keras_simmim.evaluation.hidden_errors import HiddenErrors
from keras_simmim.evaluation.reconstruction import check_reconstructs
from keras_simmim.layers.fitting_images import check_sizes
from keras_simmim.masking.draws.draw import check_seed
from keras_simmim.masking.sharing import largest_remainder

# Share of the pixels that an image's score is the mean of.
_SHARE = 0.01


def anomaly_map(
    model: Any, images: Any, rounds: int = 4, seed: int = 0, batch_size: int = 32
) -> dict[str, np.ndarray]:
    """Measure how badly each pixel is predicted from the rest of its image.

    The blocks of the model's masks are parted at random into as many sets as rounds, the same for
    every image, and each round hides one of them: every pixel is hidden exactly once. Its error is
    the absolute difference of normalized pixels, averaged over channels, in what the masks hide
    of it; of several modalities, each hides it once, and their errors are averaged.

    Pretrain the model on images without anomalies. One that predicts "normalized_pixels" is told
    each patch's mean and contrast, whose own anomalies it cannot see.

    Args:
        model: a `SimMIM` with a reconstruction head.
        images: array (N, H, W, C), uint8 or float 0–255, N at least 1.
        rounds: number of rounds, from 2 to the number of blocks: 1/rounds of an image is hidden at
            a time.
        seed: of the sets, 0 ≤ seed < 2³¹.
        batch_size: images at a time.

    Returns:
        "maps", float32 (N, H, W), and "scores", float32 (N,): of a map whose pixels were averaged
        with their neighbors, by weights (1, 2, 1)/4 along rows and columns, the mean of the largest
        hundredth.

    Raises:
        ValueError: for a model without a reconstruction head, images of another shape, or rounds
            or a seed out of range.

    Source: complementary masks are those of Zavrtanik et al., "Reconstruction by inpainting for
    visual anomaly detection", Pattern Recognition 2021, section 3.2.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ViT((16, 24, 3), patch_size=4, num_layers=1, num_heads=2, hidden_dim=16)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(block_size=2))
    images = np.random.randint(0, 256, (8, 16, 24, 3), "uint8")
    ks.evaluation.anomaly_map(model, images)["maps"].shape   # (8, 16, 24)
    ```
    """
    check_reconstructs("anomaly_map", model)
    pictures = np.asarray(images)
    check_sizes(pictures.shape, model.backbone.image_shape)
    if not len(pictures):
        raise ValueError("images must be at least one, got none.")
    generator = model.mask_generator
    blocks = generator.grid[0] * generator.grid[1]
    if not 2 <= rounds <= blocks:
        raise ValueError(
            f"rounds must be from 2 to the {blocks} blocks of this model's masks, got {rounds!r}."
        )
    counts = largest_remainder(blocks, [1] * rounds)
    firsts = np.cumsum(counts) - counts
    maps = np.zeros(pictures.shape[:3], "float32")
    for modality in generator.modalities:
        for count in np.unique(counts).tolist():
            network = HiddenErrors(model, modality, count, check_seed(seed))
            for first in firsts[counts == count].tolist():
                network.first.assign(first)
                with distribution.whole_batches():
                    maps += network.predict(pictures, batch_size=batch_size, verbose=0)
    maps /= len(generator.modalities)
    return {"maps": maps, "scores": _scores(maps)}


def _scores(maps: np.ndarray) -> np.ndarray:
    """Average the largest pixels of each smoothed map: float32 (N,)."""
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    smooth = (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 16
    smooth = smooth.reshape(len(maps), -1)
    count = math.ceil(_SHARE * smooth.shape[1])
    largest = np.partition(smooth, smooth.shape[1] - count, axis=1)[:, -count:]
    return largest.mean(axis=1).astype("float32")
