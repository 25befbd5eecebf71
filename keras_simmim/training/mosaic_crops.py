"""Crops of a mosaic, told in the pixels of each of its four images."""

from keras import ops

from keras_simmim.backend.types import Tensor


def mosaic_crops(crops: Tensor, chosen: Tensor, sides: tuple[int, int]) -> Tensor:
    """Say which part of each of four images a crop of their 2×2 mosaic is.

    A mosaic has the size of an image: each of the four is halved, and whole. A part reaches
    beyond its image to where the others lie, so that the four parts, each 0 outside its image, add
    up to the crop. This resamples once what would otherwise be halved first and cropped then.

    Args:
        crops: float32 (B, 4): top, left, height and width in pixels, of the mosaic or of the image.
        chosen: bool (B,), which images become mosaics. Of the others, the first of the four parts
            is the crop itself, and the other three lie outside their images.
        sides: height and width of the images, in pixels.

    Returns:
        float32 (B, 4, 4): parts of the upper left, upper right, lower left and lower right image.

    Source: Bochkovskiy et al., "YOLOv4: optimal speed and accuracy of object detection", 2020.

    Example:
    ```python
    from keras import ops
    from keras_simmim.training.mosaic_crops import mosaic_crops

    crops = ops.convert_to_tensor([[0.0, 0.0, 30.0, 40.0]])
    mosaic_crops(crops, ops.ones(1, "bool"), (30, 40))[0, 3]   # [-30, -40, 60, 80]
    ```
    """
    height, width = sides
    places = [[0, 0], [0, width], [height, 0], [height, width]]
    corners = ops.convert_to_tensor([[*place, 0, 0] for place in places], dtype="float32")
    parts = 2.0 * ops.expand_dims(crops, 1) - corners
    outside = ops.convert_to_tensor([[2 * height, 2 * width, 1, 1]] * 3, dtype="float32")
    alone = ops.concatenate(
        [
            ops.expand_dims(crops, 1),
            ops.broadcast_to(ops.expand_dims(outside, 0), (ops.shape(crops)[0], 3, 4)),
        ],
        axis=1,
    )
    return ops.where(ops.reshape(chosen, (-1, 1, 1)), parts, alone)
