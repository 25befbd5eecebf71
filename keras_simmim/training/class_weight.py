"""What each class counts in the classification loss."""

import math
from collections.abc import Mapping

from keras import ops

from keras_simmim.backend.types import Tensor


def check_class_weight(
    class_weight: Mapping[int, float], num_classes: int | None
) -> tuple[float, ...]:
    """Return one factor for each class, 1 for those that are not named.

    Args:
        class_weight: of `fit`.
        num_classes: of the model; None for one that does not classify.

    Raises:
        ValueError: for classes that the model does not have, or factors that are no numbers of at
            least 0.
    """
    if num_classes is None:
        raise ValueError(f"class_weight={class_weight!r} needs a model with a classifier.")
    weights = [1.0] * num_classes
    for label, weight in class_weight.items():
        if label not in range(num_classes):
            raise ValueError(
                f"class_weight must name classes from 0 to {num_classes - 1}, got {label!r}. "
                "Images without a label, -1, have no class to weigh."
            )
        if not math.isfinite(weight) or weight < 0:
            raise ValueError(
                f"class_weight must hold numbers of at least 0, got {weight!r} for class {label}."
            )
        weights[int(label)] = float(weight)
    return tuple(weights)


def weights_of_labels(labels: Tensor, class_weight: tuple[float, ...] | None) -> Tensor:
    """Look up what labels count.

    Args:
        labels: int32 (B,), -1 for unlabelled.
        class_weight: of `check_class_weight`; None where all count alike.

    Returns:
        float32 (B,), 1 for unlabelled images and for labels that are no classes.
    """
    if class_weight is None:
        return ops.ones_like(labels, dtype="float32")
    is_class = ops.expand_dims(labels, 1) == ops.arange(len(class_weight), dtype="int32")
    factors = ops.where(is_class, ops.convert_to_tensor(class_weight, "float32"), 0.0)
    known = ops.any(is_class, axis=1)
    return ops.where(known, ops.sum(factors, axis=1), 1.0)
