"""Areas of boxes."""

from keras import ops

from keras_simmim.backend.types import Tensor


def areas(boxes: Tensor) -> Tensor:
    """Measure boxes: (…, 4) in pixels → (…) in square pixels; an inverted box has none.

    Example:
    ```python
    from keras import ops
    from keras_simmim.boxes.areas import areas

    areas(ops.array([[1.0, 2.0, 4.0, 7.0], [3.0, 3.0, 2.0, 5.0]]))   # [15, 0]
    ```
    """
    sides = ops.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return sides[..., 0] * sides[..., 1]
