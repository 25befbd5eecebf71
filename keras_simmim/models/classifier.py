"""What classifiers of images and of texts share: a head, its loss, labels and metrics."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_simmim.backend import devices, kernels
from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.heads import ClassificationHead
from keras_simmim.models.fine_tuned_model import FineTunedModel
from keras_simmim.models.label_metrics import check_loss, label_metrics
from keras_simmim.models.labels import check_dataset, check_labels
from keras_simmim.objectives.integer_labels import integer_labels
from keras_simmim.training.class_weight import weights_of_labels
from keras_simmim.training.measured import Measured


class Classifier(FineTunedModel):
    """Learn classes by the cross-entropy of integer labels.

    Subclasses have a `classifier`, a `ClassificationHead`, and `label_smoothing`.
    """

    predicted = "probabilities"
    num_classes: int
    classifier: ClassificationHead
    label_smoothing: float

    def build(self, input_shape: Shape) -> None:
        """Create all weights; the constructor does this."""
        if self.built:
            return
        if not self.classifier.built:
            self.classifier.build(self.head_shape)
        self.add_step()
        self.built = True

    # ------------------------------------------------------------------- the path

    @property
    def head_shape(self) -> Shape:
        """Give the shape of what the head takes: here of feature maps."""
        return (None, *self.backbone.feature_shape)

    def head_inputs(self, features: Any) -> Tensor:
        """Return what the head takes of `features`: here the maps themselves."""
        return features

    def augmented(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Change images and targets (B, K) of a training step: here nothing is."""
        return images, targets

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Predict class probabilities, float32 (B, K), of images of 0–255, or of tokens."""
        return super().call(images, training=self.learns(training))

    def outputs(self, features: Tensor) -> dict[str, Tensor]:
        """Give the "embedding" (B, D) of features and the "probabilities" (B, K) of classes."""
        probabilities = self.classifier(self.head_inputs(features))
        return {**super().outputs(features), "probabilities": probabilities}

    def logits(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Score the classes before the softmax, float32 (B, K)."""
        features = self.features(images, training=self.learns(training))
        return self.classifier.logits(self.head_inputs(features))

    def compute_losses(self, data: Any, training: bool) -> Measured:
        """Measure the cross-entropy of a batch and its accuracy.

        In training, images are augmented and mixed and labels smoothed; the accuracy is then that
        of the mixed images by their first label.

        Args:
            data: (images, labels) or (images, labels, sample_weight).
            training: whether to augment.

        Returns:
            The losses "loss" and "accuracy" with the batch size, and the output "probabilities".
        """
        images, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if labels is None:
            raise ValueError("fit and evaluate need labels, got images alone.")
        labels, factor = integer_labels(labels, self.num_classes)
        is_class = ops.expand_dims(labels, 1) == ops.arange(self.num_classes, dtype="int32")
        # None may be without a label here.
        factor = ops.where(labels >= 0, factor, float("nan"))
        targets = ops.cast(is_class, "float32") * ops.expand_dims(factor, 1)
        if sample_weight is not None:
            # Weights travel with the labels, so that mixing mixes them too.
            targets = targets * ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1))
        if training:
            counts = weights_of_labels(labels, self.class_weight)
            targets = targets * ops.expand_dims(counts, 1)
            images, targets = self.augmented(images, targets)
            spread = ops.sum(targets, axis=-1, keepdims=True) / self.num_classes
            targets = targets + self.label_smoothing * (spread - targets)
        logits = self.logits(images, training)
        entropy = -ops.sum(targets * ops.log_softmax(logits), axis=-1)
        hits = ops.cast(ops.cast(ops.argmax(logits, axis=-1), "int32") == labels, "float32")
        batch_size = kernels.batch_size(labels)
        # Images of all replicas count alike.
        share = devices.mean_over_replicas(batch_size)
        loss = ops.sum(entropy) / share + sum(self.losses)
        accuracy = ops.sum(hits) / share
        return Measured(
            losses={"loss": (loss, batch_size), "accuracy": (accuracy, batch_size)},
            outputs={"probabilities": ops.softmax(logits)},
            targets={"probabilities": labels},
            weights={"probabilities": ops.ones_like(entropy)},
        )

    # ------------------------------------------------------------------- training

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        *,
        metrics: Any = None,
        **kwargs: Any,
    ) -> None:
        """Choose the optimizer, and metrics beside the loss and the accuracy.

        Args:
            optimizer: as for `keras.Model.compile`.
            loss: the cross-entropy of integer labels by any of its names in Keras, which is the
                model's own; None for the same.
            metrics: a name, a metric, or a list of these, for integer labels and probabilities;
                `AUC`, `Precision`, `F1Score` and the like see one-hot targets, and of two classes
                class 1.
            **kwargs: see `TrainedModel.compile`.

        Raises:
            ValueError: for another loss.
        """
        check_loss(type(self).__name__, loss)
        # Keras would try them on the labels as they are.
        super().compile(optimizer, **kwargs)
        self.user_metrics.given = keras.tree.flatten(metrics or [])
        self.user_metrics.choose("probabilities", label_metrics(metrics, self.num_classes))

    def get_compile_config(self) -> Config | None:
        """Return what `compile` was given, the metrics too."""
        config = super().get_compile_config()
        metrics = keras.saving.serialize_keras_object(self.user_metrics.given)
        return config and {**config, "metrics": metrics}

    def check_given(self, arguments: Config) -> None:
        """Raise ValueError for labels that are missing, or that the model has no class for.

        Args:
            arguments: of `fit`, by name.
        """
        x, y, validation_data = (arguments[name] for name in ("x", "y", "validation_data"))
        for name, data in (("x", x), ("validation_data", validation_data)):
            if data is not None and not isinstance(data, np.ndarray | tuple | list):
                check_dataset(data, self.num_classes, self.class_names, name)
        if y is not None:
            check_labels(y, self.num_classes, "y")
            if len(np.unique(np.asarray(y))) < 2:
                raise ValueError(f"y must hold at least two classes, got {np.unique(y)} alone.")
        if isinstance(validation_data, tuple) and len(validation_data) > 1:
            check_labels(validation_data[1], self.num_classes, "validation_data's labels")
