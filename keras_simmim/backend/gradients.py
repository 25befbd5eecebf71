"""What the three training steps share: the norm of the gradients, as the log shows it."""

from collections.abc import Sequence

from keras import ops

from keras_simmim.types import Tensor


def gradient_norm(gradients: Sequence[Tensor], loss_scale: Tensor) -> Tensor:
    """Euclidean norm of all gradients together, with the loss scale taken out: a scalar."""
    squares = [ops.sum(ops.square(ops.cast(gradient, "float32"))) for gradient in gradients]
    return ops.sqrt(sum(squares)) / loss_scale
