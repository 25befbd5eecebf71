"""Cross-entropy over those images of a batch that have a label."""

from keras import ops

from keras_simmim.backend.types import Tensor


def classification_loss(
    logits: Tensor, labels: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean cross-entropy and accuracy over the labelled images, and their total weight.

    Args:
        logits: float32 (B, K).
        labels: integers (B,) or (B, 1) from 0 to K−1, −1 for unlabelled.
        weight: float32 (B,), what each image counts.

    Returns:
        Three scalars; all 0 where no image has a label.

    Raises:
        ValueError: for labels of another shape, such as one-hot ones.

    Example:
    ```python
    logits, labels = ops.zeros((2, 4)), ops.convert_to_tensor([3, -1])
    [round(float(value), 3) for value in classification_loss(logits, labels, ops.ones((2,)))]
    # [1.386, 0.0, 1.0]
    ```
    """
    if len(labels.shape) > 1 and labels.shape[-1] != 1:
        raise ValueError(
            "labels must be integers (B,), -1 for unlabelled; got labels of shape "
            f"{tuple(labels.shape)}."
        )
    labels = ops.reshape(ops.cast(labels, "int32"), (-1,))
    labelled = weight * ops.cast(labels >= 0, "float32")
    total = ops.sum(labelled)
    entropy = ops.sparse_categorical_crossentropy(ops.maximum(labels, 0), logits, from_logits=True)
    correct = ops.cast(ops.cast(ops.argmax(logits, axis=-1), "int32") == labels, "float32")
    return (
        ops.divide_no_nan(ops.sum(labelled * entropy), total),
        ops.divide_no_nan(ops.sum(labelled * correct), total),
        total,
    )
