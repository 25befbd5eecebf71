"""What the three training steps share: the norm of the gradients, as the log shows it."""

from collections.abc import Sequence

import keras
from keras import ops

from keras_simmim.types import Tensor


def total_norm(gradients: Sequence[Tensor]) -> Tensor:
    """Euclidean norm of all gradients together: a float32 scalar."""
    if keras.backend.backend() == "torch":
        import torch

        norms = torch._foreach_norm(list(gradients), 2, dtype=torch.float32)
        return torch.linalg.vector_norm(torch.stack(norms))
    squares = [ops.sum(ops.square(ops.cast(gradient, "float32"))) for gradient in gradients]
    return ops.sqrt(sum(squares))


def gradient_norm(gradients: Sequence[Tensor], loss_scale: Tensor) -> Tensor:
    """The norm of all gradients together, with the loss scale taken out: a scalar."""
    return total_norm(gradients) / loss_scale


def poisoned_unless(finite: Tensor, gradients: Sequence[Tensor]) -> list[Tensor]:
    """The gradients, or NaN in their place, so that a loss-scaling optimizer skips the step.

    It looks at the gradients alone; the loss may be infinite where they are not.
    """
    return [ops.where(finite, gradient, float("nan")) for gradient in gradients]
