"""Keras' losses and metrics, as their users write them, for integer labels of K classes."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Tensor

# What every model of images with labels logs by itself.
OWN = ("accuracy", "acc", "sparse_categorical_accuracy")
_BINARY = (
    "AUC",
    "Precision",
    "Recall",
    "PrecisionAtRecall",
    "RecallAtPrecision",
    "SensitivityAtSpecificity",
    "SpecificityAtSensitivity",
    "TruePositives",
    "TrueNegatives",
    "FalsePositives",
    "FalseNegatives",
    "BinaryAccuracy",
)
_ONE_HOT = (
    "F1Score",
    "FBetaScore",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "TopKCategoricalAccuracy",
    "KLDivergence",
)


@keras.saving.register_keras_serializable("keras_simmim")
class OfLabels(keras.metrics.Metric):
    """Give a metric that Keras has for one-hot targets or two classes what it expects.

    Of two classes, `AUC`, `Precision`, `Recall` and their like are those of class 1. Of more, or
    with a `class_id`, they and all others see one-hot targets.

    Args:
        metric: such as `keras.metrics.AUC()`.
        num_classes: number of classes.

    Example:
    ```python
    import keras
    import numpy as np
    from keras_simmim.models.label_metrics import OfLabels

    precision = OfLabels(keras.metrics.Precision(), num_classes=2)
    precision.update_state(np.array([0, 1]), np.array([[0.4, 0.6], [0.3, 0.7]]))
    float(precision.result())   # 0.5
    ```
    """

    def __init__(self, metric: keras.metrics.Metric, num_classes: int) -> None:
        super().__init__(name=metric.name)
        self.metric = metric
        self.num_classes = num_classes
        is_binary = type(metric).__name__ in _BINARY and num_classes == 2
        self.takes_class_1 = is_binary and getattr(metric, "class_id", None) is None

    def update_state(
        self, labels: Tensor, probabilities: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Fold in labels (B,) and probabilities (B, K)."""
        labels = ops.cast(labels, "int32")
        if self.takes_class_1:
            targets = ops.cast(ops.expand_dims(labels == 1, 1), "float32")
            probabilities = probabilities[:, 1:]
        else:
            is_class = ops.expand_dims(labels, 1) == ops.arange(self.num_classes, dtype="int32")
            targets = ops.cast(is_class, "float32")
        self.metric.update_state(targets, probabilities, sample_weight=sample_weight)

    def result(self) -> Tensor:
        """Return the metric's result."""
        return self.metric.result()

    def reset_state(self) -> None:
        """Forget all that was folded in."""
        self.metric.reset_state()

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        metric = keras.saving.serialize_keras_object(self.metric)
        return {"metric": metric, "num_classes": self.num_classes}

    @classmethod
    def from_config(cls, config: Config) -> "OfLabels":
        """Make a metric of this configuration."""
        return cls(keras.saving.deserialize_keras_object(config["metric"]), config["num_classes"])


def label_metrics(metrics: Any, num_classes: int) -> list[Any]:
    """Return what a user chose beside the accuracy, each able to compare integer labels.

    Args:
        metrics: of `compile`: a name, a metric, or a list of these.
        num_classes: number of classes.

    Raises:
        ValueError: for a dictionary, of which a model of one output has no use.
    """
    if isinstance(metrics, Mapping):
        raise ValueError(f"metrics must be a list of names or metrics, got {metrics!r}.")
    given = keras.tree.flatten(metrics or [])
    chosen = [keras.metrics.get(each) for each in given if each not in OWN]
    wanted = (*_BINARY, *_ONE_HOT)
    return [
        OfLabels(each, num_classes) if type(each).__name__ in wanted else each for each in chosen
    ]


def check_loss(name: str, loss: Any) -> None:
    """Raise ValueError for a loss that is not the cross-entropy of integer labels.

    Args:
        name: of the model's class, for the error.
        loss: of `compile`.
    """
    own = keras.losses.SparseCategoricalCrossentropy
    if loss in (None, "sparse_categorical_crossentropy", own.__name__):
        return
    if loss is keras.losses.sparse_categorical_crossentropy:
        return
    reason = "another loss"
    if isinstance(loss, own):
        config = loss.get_config()
        if config["reduction"] == "sum_over_batch_size" and config.get("ignore_class") is None:
            return
        reason = "another reduction, or a class to ignore"
    elif "ategorical" in str(loss) or "inary" in str(loss):
        reason = "one-hot targets or binary ones, while labels here are integers"
    raise ValueError(
        f"{name} brings its own losses, got loss={loss!r}: {reason}, and not the cross-entropy of "
        "integer labels. Leave it out, or give 'sparse_categorical_crossentropy'; see "
        "label_smoothing and class_weight for what changes it."
    )
