"""What torch computes in one piece, so that it need not be written out."""

from collections.abc import Sequence

import keras
import torch

from keras_simmim.backend.known_sizes import never_empty, with_shape
from keras_simmim.backend.types import Tensor

__all__ = [
    "affine",
    "attention",
    "batch_size",
    "group_norm",
    "has_attention_kernel",
    "has_gelu_kernel",
    "has_group_norm_kernel",
    "has_layer_norm_kernel",
    "loops_over",
    "never_empty",
    "run_in_loop",
    "runs_ahead",
    "total_norm",
    "with_shape",
]


def has_attention_kernel() -> bool:
    """Say whether `attention` is one kernel."""
    return True


def attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """Attend: (B, heads, N, d) each, and a bias of the scores, to (B, heads, N, d).

    torch itself chooses among its kernels by shapes and types: flash attention in half precision
    without a bias. Keras asks first whether that can be, which `torch.compile` cannot trace.
    """
    return torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)


def has_gelu_kernel() -> bool:
    """Say whether `ops.gelu` costs about one pass."""
    return True


def has_layer_norm_kernel() -> bool:
    """Say whether `ops.layer_normalization` is one kernel."""
    return True


def has_group_norm_kernel() -> bool:
    """Say whether `group_norm` is one kernel."""
    return True


def group_norm(maps: Tensor, groups: int, gamma: Tensor, beta: Tensor, epsilon: float) -> Tensor:
    """Normalize groups of channels: (B, …, C), (C,) and (C,) to (B, …, C)."""
    # Channels before rows, in the same memory.
    first = maps.movedim(-1, 1)
    # Without the check of torch.nn.functional, which refuses one position of one image.
    normal = torch.group_norm(first, groups, gamma, beta, epsilon)
    return normal.movedim(1, -1)


def affine(rows: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """Multiply rows by a kernel and add a bias: (R, D), (D, K) and (K,) to (R, K)."""
    return torch.addmm(bias, rows, kernel)


def batch_size(batch: Tensor) -> Tensor:
    """Count a batch's examples: a float32 scalar, made where the batch is."""
    return torch.full((), batch.shape[0], dtype=torch.float32, device=batch.device)


def total_norm(gradients: Sequence[Tensor]) -> Tensor:
    """Take the Euclidean norm of all gradients together: a float32 scalar."""
    # torch sums up in a wider type alone.
    wide = [each.dtype if each.dtype == torch.float64 else torch.float32 for each in gradients]
    norms = torch._foreach_norm(list(gradients), 2, dtype=max(wide, key=lambda t: t.itemsize))
    return torch.linalg.vector_norm(torch.stack(norms)).float()


def runs_ahead(tensor: Tensor) -> bool:
    """Say whether the host goes on while this tensor is computed, so that reading it waits."""
    return tensor.device.type != "cpu"


def loops_over(blocks: Sequence[keras.layers.Layer], tokens: Tensor) -> bool:
    """Say whether `run_in_loop` is of use: not here, where blocks are called one by one."""
    return False


def run_in_loop(
    blocks: Sequence[keras.layers.Layer],
    tokens: Tensor,
    biases: Sequence[Tensor | None],
    factors: Sequence[Tensor | None],
) -> Tensor:
    """Raise, since `loops_over` is never true here."""
    raise NotImplementedError("torch calls blocks one after another.")
