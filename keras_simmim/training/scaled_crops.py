"""Random crops that may reach beyond the image, the same on every backend."""

import math

from keras import ops

from keras_simmim.backend.types import Tensor

# The area, the ratio and the corner.
CROP_DRAWS = 4


def scaled_crops(
    draws: Tensor,
    sides: tuple[int, int],
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> Tensor:
    """Draw crops with the image's proportions, changed by a ratio, at a uniform position.

    A crop that is longer than the image along a side holds all of that side. With scale[1] ≤ 1,
    no crop is longer. Crops are not rounded to whole pixels: a number that differs in its last bit
    between backends moves a crop by as little.

    Args:
        draws: float32 (N, `CROP_DRAWS`), uniform numbers within 0–1.
        sides: height and width of the images, in pixels.
        scale: bounds of a crop's area divided by the image's.
        ratio: bounds of a crop's width divided by its height, where the image's is 1; drawn
            log-uniformly.

    Returns:
        float32 (N, 4): top, left, height and width of each crop, in pixels. Height and width are
        at least 1.

    Source: `RandomResizedCrop` of torchvision; the scale jitter of Liu et al., "SSD: single shot
    multibox detector", ECCV 2016, section 3.6, for crops larger than the image.

    Example:
    ```python
    from keras import ops
    from keras_simmim.training.scaled_crops import CROP_DRAWS, scaled_crops

    draws = ops.full((1, CROP_DRAWS), 0.5)
    scaled_crops(draws, (30, 40), scale=(4.0, 4.0), ratio=(1.0, 1.0))   # [[-15, -20, 60, 80]]
    ```
    """
    low, high = math.log(ratio[0]), math.log(ratio[1])
    lengths = ops.convert_to_tensor(sides, dtype="float32")
    sizes = ops.sqrt(scale[0] + draws[:, :1] * (scale[1] - scale[0]))
    stretch = ops.exp((low + draws[:, 1:2] * (high - low)) / 2)
    crops = lengths * ops.concatenate([sizes / stretch, sizes * stretch], axis=-1)
    crops = ops.maximum(ops.minimum(crops, lengths) if scale[1] <= 1 else crops, 1.0)
    return ops.concatenate([draws[:, 2:CROP_DRAWS] * (lengths - crops), crops], axis=-1)
