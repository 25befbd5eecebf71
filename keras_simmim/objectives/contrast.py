"""InfoNCE: recognize the other views of an image among those of all images."""

import numpy as np
from keras import ops

from keras_simmim.backend.types import Tensor


def infonce(
    projections: Tensor, crop_of: tuple[int, ...], temperature: float, counted: Tensor
) -> Tensor:
    """Average −log softmax(z zᵀ/τ) over anchors and over the other views of each anchor's image.

    A view is no negative of others of its own image, and of those it is a positive of views of
    its own group alone.

    Args:
        projections: float32 (N, P, K), P views of N images, of any length.
        crop_of: the group of each of the P views.
        temperature: τ, above 0.
        counted: float32 (N,), 1 for an image that counts, else 0.

    Returns:
        A float32 scalar.

    Source: Mishra et al., "A Simple, Efficient and Scalable Contrastive Masked Autoencoder for
    Learning Visual Representations", 2022, equation 1; with more than two views as in Khosla et
    al., "Supervised Contrastive Learning", NeurIPS 2020, equation 2.

    Example:
    ```python
    from keras import ops
    from keras_simmim.objectives.contrast import infonce

    same = ops.convert_to_tensor([[[1.0, 0.0], [2.0, 0.0]], [[0.0, 1.0], [0.0, 3.0]]])
    round(float(infonce(same, (0, 0), 1.0, ops.ones(2))), 3)   # 0.551: −log(e / (e + 1 + 1))
    ```
    """
    _, views, dim = projections.shape
    lengths = ops.sum(ops.square(projections), axis=-1, keepdims=True)
    units = ops.reshape(projections * ops.rsqrt(lengths + 1e-12), (-1, dim))
    logits = ops.matmul(units, ops.transpose(units)) / temperature
    count = ops.shape(counted)[0]
    image = ops.repeat(ops.arange(count, dtype="int32"), views)
    same = ops.cast(image[:, None] == image[None], "float32")
    # Pairs of views of one image: the blocks of `same`, filled with what is known of them here.
    groups = np.array(crop_of)
    partners = (groups[:, None] == groups).astype("float32") - np.eye(views, dtype="float32")
    positive = same * ops.tile(ops.convert_to_tensor(partners), (count, count))
    weights = ops.repeat(counted, views)
    among = weights[None] * ops.maximum(1 - same, positive)
    # What is left out of the softmax is far below all the rest.
    shifted = logits - ops.stop_gradient(ops.max(logits, axis=1, keepdims=True))
    totals = ops.log(ops.sum(ops.exp(shifted) * among, axis=1, keepdims=True) + 1e-30)
    pairs = positive * weights[:, None] * weights[None]
    return ops.divide_no_nan(ops.sum((totals - shifted) * pairs), ops.sum(pairs))
