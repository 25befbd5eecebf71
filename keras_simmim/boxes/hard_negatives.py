"""The negatives that a detector gets most wrong."""

from keras import ops

from keras_simmim.backend.types import Tensor


def hard_negatives(
    losses: Tensor, positive: Tensor, negative: Tensor, ratio: float = 3.0, minimum: int = 10
) -> Tensor:
    """Choose the negatives of the highest loss, in proportion to the positives of their image.

    Args:
        losses: (B, N), the loss of each anchor as a negative. No gradient passes.
        positive: bool (B, N).
        negative: bool (B, N).
        ratio: negatives for each positive.
        minimum: negatives of an image with few positives or none, which is to teach too.

    Returns:
        bool (B, N). Of negatives that have one loss the first are chosen.

    Source: Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016, section 2.2.

    Example:
    ```python
    from keras import ops
    from keras_simmim.boxes.hard_negatives import hard_negatives

    losses = ops.array([[0.3, 0.1, 0.9, 0.2]])
    positive = ops.array([[True, False, False, False]])
    chosen = hard_negatives(losses, positive, ops.logical_not(positive), ratio=2.0, minimum=0)
    ops.cast(chosen, "int32")   # [[0, 0, 1, 1]]
    ```
    """
    losses = ops.stop_gradient(ops.cast(losses, "float32"))
    order = ops.argsort(ops.where(negative, -losses, float("inf")), axis=-1)
    ranks = ops.cast(ops.argsort(order, axis=-1), "float32")
    positives = ops.sum(ops.cast(positive, "float32"), axis=-1, keepdims=True)
    count = ops.maximum(positives * ratio, float(minimum))
    return ops.logical_and(negative, ranks < count)
