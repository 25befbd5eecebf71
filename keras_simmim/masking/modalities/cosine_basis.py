"""The orthonormal discrete cosine transform, the basis of texture and of many channels."""

import math

from keras import ops

from keras_simmim.backend.types import Tensor


def cosine_basis(size: int) -> Tensor:
    """Compute the orthonormal DCT-II matrix, whose row i samples the cosine of frequency i.

    Args:
        size: number n of samples.

    Returns:
        float32 (n, n) matrix D with D·Dᵀ = 1; its first row is the constant 1/√n.

    Source: Ahmed, Natarajan and Rao, "Discrete cosine transform", IEEE Trans. Computers 1974.

    Example:
    ```python
    from keras import ops
    from keras_simmim.masking.modalities.cosine_basis import cosine_basis

    (100 * ops.convert_to_numpy(cosine_basis(2))).astype(int).tolist()   # [[70, 70], [70, -70]]
    ```
    """
    frequency = ops.expand_dims(ops.arange(size, dtype="int32"), 1)
    odd = 2 * ops.expand_dims(ops.arange(size, dtype="int32"), 0) + 1
    # Whole turns taken off in integers: the cosine of a large float32 is inexact.
    angle = ops.cast(frequency * odd % (4 * size), "float32") * (math.pi / (2 * size))
    scale = ops.where(frequency == 0, (1 / size) ** 0.5, (2 / size) ** 0.5)
    return ops.cast(scale, "float32") * ops.cos(angle)
