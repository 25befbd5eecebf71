"""Gradients for an optimizer that scales the loss, in a step that is not finite."""

from collections.abc import Sequence

from keras import ops

from keras_simmim.backend.types import Tensor


def poisoned_unless(finite: Tensor, gradients: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradients, or NaN instead of them in a step that is not finite.

    A `LossScaleOptimizer` then skips the step. It looks at the gradients alone, which may be finite
    where the loss is not.
    """
    return [ops.where(finite, gradient, float("nan")) for gradient in gradients]
