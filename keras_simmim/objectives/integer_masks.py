"""Masks of classes as integers, and which of their pixels count."""

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.data.target_values import IGNORED_PIXEL


def integer_masks(masks: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Return masks as int32, and what each pixel counts.

    Args:
        masks: (B, H, W) or (B, H, W, 1), whole numbers of any type; 255 is ignored.
        num_classes: number of classes K.

    Returns:
        int32 (B, H, W), within 0 … K − 1; and float32 (B, H, W), 1, or 0 for pixels that are
        ignored, or NaN for numbers that are no class, so that a step with them is skipped.

    Raises:
        ValueError: for masks of another shape.
    """
    shape = tuple(masks.shape)
    if len(shape) == 4 and shape[-1] == 1:
        masks = masks[..., 0]
    elif len(shape) != 3:
        raise ValueError(
            f"masks must be integers (B, H, W), got the shape {shape}, such as one-hot ones: "
            "take their argmax."
        )
    whole = ops.cast(masks, "int32")
    ignored = whole == IGNORED_PIXEL
    known = ops.logical_and(whole >= 0, whole < num_classes)
    exact = ops.cast(whole, "float32") == ops.cast(masks, "float32")
    counts = ops.where(ops.logical_and(known, exact), 1.0, float("nan"))
    counts = ops.where(ignored, 0.0, counts)
    return ops.where(known, whole, 0), counts
