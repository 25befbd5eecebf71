"""SIGReg: projections of a batch, compared with a normal distribution in many directions."""

import numpy as np
from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.layers.hashing import hash_words, uniform_of

POINTS = 17
LAST_POINT = 3.0
# Keeps these draws apart from those of masks, which hash the same words.
_SALT = 0x53494752


def isotropy_loss(projections: Tensor, directions: Tensor, counted: Tensor) -> Tensor:
    """Measure how far projections are from a standard normal distribution, in given directions.

    For each view, and each direction a: N·Σₖ wₖ[(mean cos(tₖaᵀz) − e^{−tₖ²/2})² +
    (mean sin(tₖaᵀz))²] at 17 points tₖ from 0 to 3, with wₖ = 2Δt·e^{−tₖ²/2}, Δt at both ends.

    Args:
        projections: float32 (N, P, K), P views of N images.
        directions: float32 (A, K) of length 1.
        counted: float32 (N,), 1 for an image that counts, else 0.

    Returns:
        The mean over views and directions, a float32 scalar.

    Source: Balestriero and LeCun, "LeJEPA: Provable and Scalable Self-Supervised Learning Without
    the Heuristics", 2025, in the form of the authors' short code.

    Example:
    ```python
    from keras import ops
    from keras_simmim.objectives.isotropy import isotropy_loss

    collapsed = ops.zeros((8, 1, 2))
    round(float(isotropy_loss(collapsed, ops.eye(2), ops.ones(8))), 3)   # 3.216: all at one point
    ```
    """
    points = np.linspace(0, LAST_POINT, POINTS)
    normal = np.exp(-np.square(points) / 2)
    steps = np.full(POINTS, 2 * points[1])
    steps[[0, -1]] /= 2
    angles = ops.einsum("npk,ak->npa", projections, directions)[..., None]
    angles = angles * ops.convert_to_tensor(points, dtype="float32")
    shares = ops.divide_no_nan(counted, ops.sum(counted))
    cosine = ops.einsum("n,npat->pat", shares, ops.cos(angles))
    sine = ops.einsum("n,npat->pat", shares, ops.sin(angles))
    errors = ops.square(cosine - ops.convert_to_tensor(normal, dtype="float32")) + ops.square(sine)
    weighted = errors * ops.convert_to_tensor(steps * normal, dtype="float32")
    return ops.sum(counted) * ops.mean(ops.sum(weighted, axis=-1))


def random_directions(seed: int, step: Tensor | int, count: int, dim: int) -> Tensor:
    """Draw directions uniformly from the sphere: float32 (A, K), a function of (seed, step).

    They are the same on every backend and every replica.

    Args:
        seed: 0 ≤ seed < 2³¹.
        step: int32 scalar.
        count: number A of directions.
        dim: K.

    Example:
    ```python
    from keras_simmim.objectives.isotropy import random_directions

    random_directions(0, step=5, count=256, dim=16).shape   # (256, 16)
    ```
    """
    numbers = ops.reshape(ops.arange(2 * count * dim, dtype="int32"), (2, count, dim))
    uniform = uniform_of(hash_words([seed ^ _SALT, step, numbers]))
    # Normal numbers, by Box and Muller.
    normal = ops.sqrt(-2 * ops.log(uniform[0])) * ops.cos(2 * np.pi * uniform[1])
    return normal * ops.rsqrt(ops.sum(ops.square(normal), axis=-1, keepdims=True) + 1e-12)
