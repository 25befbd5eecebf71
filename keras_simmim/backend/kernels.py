"""Which operations the backend computes in one piece, so that they need not be written out."""

import keras


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
