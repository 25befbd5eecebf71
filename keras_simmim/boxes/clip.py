"""Boxes that end where the image does."""

from keras import ops

from keras_simmim.backend.types import Tensor


def clip(boxes: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Cut off what of boxes lies outside the image: (…, 4) in pixels → float32 (…, 4).

    A box that lies outside as a whole becomes one without area.

    Args:
        boxes: (…, 4), in pixels.
        image_size: height and width of the images, in pixels.

    Returns:
        float32 (…, 4).

    Example:
    ```python
    from keras import ops
    from keras_simmim.boxes.clip import clip

    clip(ops.array([[-3.0, 2.0, 9.0, 40.0]]), (10, 8))   # [[0, 2, 8, 10]]
    ```
    """
    height, width = image_size
    ends = ops.array([width, height, width, height], dtype="float32")
    return ops.minimum(ops.maximum(ops.cast(boxes, "float32"), 0.0), ends)
