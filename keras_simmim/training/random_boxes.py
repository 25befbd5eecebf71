"""Random boxes to crop images to, the same on every backend."""

import math

from keras import ops

from keras_simmim.backend.types import Tensor

TRIES = 10
# Areas and ratios of all tries, and where the box lies.
BOX_DRAWS = 2 * TRIES + 2


def random_boxes(
    draws: Tensor,
    sides: tuple[int, int],
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> Tensor:
    """Draw the boxes of random resized crops, as torchvision's `RandomResizedCrop` does.

    The first of ten boxes that fits into the image is taken. If none fits, it is the largest box
    whose ratio is within the bounds. Boxes are not rounded to whole pixels: a number that differs
    in its last bit between backends moves a box by as little.

    Args:
        draws: float32 (N, `BOX_DRAWS`), uniform numbers within 0–1.
        sides: height and width of the images, in pixels.
        scale: bounds of a box's share of the image's area.
        ratio: bounds of a box's width divided by its height, drawn log-uniformly.

    Returns:
        float32 (N, 4): top, left, height and width of each box, in pixels. Height and width are
        at least 1.

    Source: `RandomResizedCrop` of torchvision.

    Example:
    ```python
    from keras import ops
    from keras_simmim.training.random_boxes import BOX_DRAWS, random_boxes

    draws = ops.full((1, BOX_DRAWS), 0.5)
    random_boxes(draws, (30, 40), scale=(0.75, 0.75), ratio=(1.0, 1.0))   # [[0, 5, 30, 30]]
    ```
    """
    low, high = math.log(ratio[0]), math.log(ratio[1])
    lengths = ops.convert_to_tensor(sides, dtype="float32")
    areas = (scale[0] + draws[:, :TRIES] * (scale[1] - scale[0])) * float(sides[0] * sides[1])
    ratios = ops.exp(low + draws[:, TRIES : 2 * TRIES] * (high - low))
    tried = ops.maximum(ops.sqrt(ops.stack([areas / ratios, areas * ratios], axis=-1)), 1.0)
    largest = (min(sides[0], sides[1] / ratio[0]), min(sides[1], sides[0] * ratio[1]))
    fits = ops.cast(ops.all(tried <= lengths, axis=-1), "int32")
    is_first = ops.cast(fits * ops.cast(ops.cumsum(fits, axis=1) == 1, "int32"), "float32")
    chosen = ops.sum(tried * ops.expand_dims(is_first, -1), axis=1)
    fallback = ops.convert_to_tensor([max(side, 1.0) for side in largest], dtype="float32")
    boxes = ops.where(ops.sum(fits, axis=1, keepdims=True) > 0, chosen, fallback)
    corners = draws[:, 2 * TRIES : BOX_DRAWS] * (lengths - boxes)
    return ops.concatenate([corners, boxes], axis=-1)
