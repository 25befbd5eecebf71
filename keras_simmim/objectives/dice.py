"""The overlap of predicted and true regions, as a loss."""

from keras import ops

from keras_simmim.backend import devices
from keras_simmim.backend.types import Tensor


def dice_loss(probabilities: Tensor, masks: Tensor, counts: Tensor) -> Tensor:
    """Measure 1 − 2·|P ∩ T| / (|P| + |T|), averaged over the classes that are in the batch.

    Args:
        probabilities: float32 (B, H, W, K).
        masks: int32 (B, H, W), within 0 … K − 1.
        counts: float32 (B, H, W), what each pixel counts.

    Returns:
        float32 scalar, 0 for a batch without pixels that count.

    Source: Milletari et al., "V-Net", 3DV 2016, equation 3, with |P| for its squares.

    Example:
    ```python
    from keras import ops
    from keras_simmim.objectives.dice import dice_loss

    probabilities = ops.array([[[[0.75, 0.25], [0.5, 0.5]]]])
    masks = ops.array([[[0, 1]]], "int32")
    round(float(dice_loss(probabilities, masks, ops.ones((1, 1, 2)))), 3)   # 0.381
    ```
    """
    classes = ops.arange(probabilities.shape[-1], dtype="int32")
    truth = ops.cast(ops.expand_dims(masks, -1) == classes, "float32")
    weights = ops.expand_dims(counts, -1)
    axes = (0, 1, 2)
    # The overlap is that of all replicas' images.
    sums = [ops.sum(part * weights, axes) for part in (truth, probabilities * truth, probabilities)]
    sizes, both, chances = ops.unstack(devices.sum_over_replicas(ops.stack(sums)))
    either = chances + sizes
    present = ops.cast(sizes > 0, "float32")
    losses = present * (1.0 - ops.divide_no_nan(2.0 * both, either))
    return ops.divide_no_nan(ops.sum(losses), ops.sum(present))
