"""Labels as integers, and which of them are classes at all."""

from keras import ops

from keras_simmim.backend.types import Tensor


def integer_labels(labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Return labels as int32, and a factor that makes a loss NaN where one names no class.

    A wrong label deep in a data set must not count as none, nor as another class: what it gives is
    not finite, and the step is skipped.

    Args:
        labels: (B,) or (B, 1), whole numbers of any type, −1 for none.
        num_classes: number of classes K.

    Returns:
        int32 (B,), within −1 … K − 1; and float32 (B,), 1, or NaN for other labels.

    Raises:
        ValueError: for labels of another shape, such as one-hot ones.
    """
    if len(labels.shape) > 1 and (len(labels.shape) > 2 or labels.shape[-1] != 1):
        raise ValueError(
            f"labels must be integers (B,), -1 for unlabelled; got labels of shape "
            f"{tuple(labels.shape)}, such as one-hot ones: take their argmax."
        )
    labels = ops.reshape(labels, (-1,))
    whole = ops.cast(labels, "int32")
    known = ops.logical_and(whole >= -1, whole < num_classes)
    exact = ops.cast(whole, "float32") == ops.cast(labels, "float32")
    factor = ops.where(ops.logical_and(known, exact), 1.0, float("nan"))
    return ops.clip(whole, -1, num_classes - 1), factor
