"""What a loss-scaling optimizer is given for a step that is not finite."""

from collections.abc import Sequence

from keras import ops

from keras_simmim.backend.types import Tensor


def poisoned_unless(finite: Tensor, gradients: Sequence[Tensor]) -> list[Tensor]:
    """Give the gradients, or NaN instead of them, so that a loss-scaling optimizer skips the step.

    It looks at the gradients alone; the loss may be infinite where they are not.
    """
    return [ops.where(finite, gradient, float("nan")) for gradient in gradients]
