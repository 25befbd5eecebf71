"""A Gaussian blur of another width for every image, as products of matrices of static shapes."""

import math

from keras import ops

from keras_simmim.backend.types import Tensor


def gaussian_blur(images: Tensor, sigmas: Tensor, largest: float) -> Tensor:
    """Blur each image by a Gaussian of its own width.

    The kernel reaches as far as three of the largest standard deviations. At the edges it is cut
    off, and what is left adds up to 1: constant images stay what they are.

    Args:
        images: float32 (N, H, W, C).
        sigmas: float32 (N,), standard deviations in pixels, above 0.
        largest: the largest that one of them can be, in pixels.

    Returns:
        float32 (N, H, W, C).

    Example:
    ```python
    from keras import ops
    from keras_simmim.training.gaussian_blur import gaussian_blur

    images = ops.reshape(ops.one_hot([2], 5), (1, 1, 5, 1))   # one bright pixel of five
    blurred = gaussian_blur(images, ops.full((1,), 0.5), largest=0.5)
    round(float(blurred[0, 0, 2, 0]), 2)   # 0.79
    ```
    """
    reach = math.ceil(3 * largest)
    rows, columns = (_weights(sigmas, side, reach) for side in images.shape[1:3])
    return ops.einsum("nxw,nywc->nyxc", columns, ops.einsum("nyh,nhwc->nywc", rows, images))


def _weights(sigmas: Tensor, side: int, reach: int) -> Tensor:
    """Weigh the pixels of a side for each blurred pixel of it.

    Args:
        sigmas: float32 (N,), in pixels.
        side: pixels of the side.
        reach: distance of the farthest pixel that counts, in pixels.

    Returns:
        float32 (N, side, side), of which each row adds up to 1.
    """
    places = ops.arange(side, dtype="float32")
    distances = ops.abs(ops.expand_dims(places, 1) - places)
    scaled = distances / ops.reshape(sigmas, (-1, 1, 1))
    weights = ops.exp(-0.5 * scaled * scaled) * ops.cast(distances <= reach, "float32")
    return weights / ops.sum(weights, axis=-1, keepdims=True)
