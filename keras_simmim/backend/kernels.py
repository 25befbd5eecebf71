"""Which operations the backend computes in one piece, so that they need not be written out."""

import keras
from keras import ops

from keras_simmim.types import Tensor


def affine(rows: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """Rows · kernel + bias: (R, D), (D, K) and (K,) to (R, K)."""
    if keras.backend.backend() != "torch":
        return ops.matmul(rows, kernel) + bias
    import torch

    return torch.addmm(bias, rows, kernel)


def has_attention_kernel() -> bool:
    """Whether `ops.dot_product_attention` is one kernel here: on torch, and on JAX's accelerators.

    Elsewhere it is a chain of `einsum`, slower than batched products (benchmarks/README.md).
    """
    match keras.backend.backend():
        case "torch":
            return True
        case "jax":
            import jax

            return jax.default_backend() != "cpu"
        case _:
            return False


def has_gelu_kernel() -> bool:
    """Whether `ops.gelu` costs about one pass: not on JAX, which computes 1 − erf at length."""
    return keras.backend.backend() != "jax"


def has_layer_norm_kernel() -> bool:
    """Whether `ops.layer_normalization` is one kernel here: on torch."""
    return keras.backend.backend() == "torch"
