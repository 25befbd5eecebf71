"""Bilinear resampling of boxes of images, as products of matrices of static shapes."""

from keras import ops

from keras_simmim.backend.types import Tensor


def resampling_weights(starts: Tensor, lengths: Tensor, size: int, count: int) -> Tensor:
    """Weigh an image's pixels along one side for each pixel that a part of the side becomes.

    A pixel's weight falls linearly to 0 with its distance from the center of the new pixel, at one
    pixel's distance, or at one new pixel's where the part shrinks. The weights of a new pixel add
    up to the share of it that lies within the image: to 1, unless the part reaches beyond the
    image. Pixels just outside the part count too, as in an image that is resized first and cropped
    afterwards.

    Args:
        starts: float32 (…), where the part begins, in pixels; below 0 outside the image.
        lengths: float32 (…), how long it is, in pixels.
        size: pixels of the image's side.
        count: pixels that the part becomes.

    Returns:
        float32 (…, count, size).

    Example:
    ```python
    from keras import ops
    from keras_simmim.training.resampling import resampling_weights

    weights = resampling_weights(ops.full((1,), 0.5), ops.full((1,), 2.0), size=4, count=2)
    weights[0]   # [[0.5, 0.5, 0, 0], [0, 0.5, 0.5, 0]]
    ```
    """
    steps = ops.expand_dims(ops.expand_dims(lengths, -1), -1) / count
    firsts = ops.expand_dims(ops.expand_dims(starts, -1), -1)
    centers = firsts + (ops.reshape(ops.arange(count, dtype="float32"), (-1, 1)) + 0.5) * steps
    pixels = ops.arange(size, dtype="float32") + 0.5
    weights = ops.maximum(1.0 - ops.abs(centers - pixels) / ops.maximum(steps, 1.0), 0.0)
    beginnings, ends = (
        ops.clip(0.5 + distances / steps, 0.0, 1.0) for distances in (centers, size - centers)
    )
    sums = ops.maximum(ops.sum(weights, axis=-1, keepdims=True), 1e-7)
    return weights / sums * (beginnings + ends - 1.0)


def resample(images: Tensor, boxes: Tensor, mirrored: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize several boxes of each image to one size, and mirror some of the results.

    What lies outside the image is 0.

    Args:
        images: float32 (B, H, W, C).
        boxes: float32 (B, n, 4): top, left, height and width in pixels.
        mirrored: bool (B, n), whether a result is mirrored left to right.
        size: height and width of the results, in pixels.

    Returns:
        float32 (B, n, *size, C).

    Example:
    ```python
    from keras import ops
    from keras_simmim.training.resampling import resample

    images = ops.reshape(ops.arange(16, dtype="float32"), (1, 4, 4, 1))
    boxes = ops.convert_to_tensor([[[1.0, 1.0, 2.0, 2.0]]])
    resample(images, boxes, ops.ones((1, 1), "bool"), (2, 2))[0, 0, :, :, 0]   # 6, 5, 10, 9
    ```
    """
    height, width = images.shape[1:3]
    rows = resampling_weights(boxes[..., 0], boxes[..., 2], height, size[0])
    columns = resampling_weights(boxes[..., 1], boxes[..., 3], width, size[1])
    flips = ops.expand_dims(ops.expand_dims(mirrored, -1), -1)
    columns = ops.where(flips, ops.flip(columns, axis=-2), columns)
    return ops.einsum("bnxw,bnywc->bnyxc", columns, ops.einsum("bnyh,bhwc->bnywc", rows, images))
