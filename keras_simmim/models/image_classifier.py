"""A classifier on pretrained features: all of it learns from labels, or only its head."""

from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.heads import ClassificationHead
from keras_simmim.models.fine_tuned_model import FineTunedModel
from keras_simmim.models.label_metrics import check_loss, label_metrics
from keras_simmim.models.labels import check_dataset, check_labels
from keras_simmim.objectives.integer_labels import integer_labels
from keras_simmim.training.augmentation import Augmentation
from keras_simmim.training.class_weight import weights_of_labels
from keras_simmim.training.fine_tuning_recipe import FineTuningRecipe, automatic_recipe
from keras_simmim.training.measured import Measured
from keras_simmim.training.tracked_mean import TrackedMean


@keras.saving.register_keras_serializable("keras_simmim")
class ImageClassifier(FineTunedModel):
    """Classify images by a backbone, the mean of its positions and a norm.

    With `recipe="auto"`, `fit` needs no `compile`: it takes the paper's optimizer, rates by layer,
    schedule and augmentation for as many steps as it is asked to run. A second `fit` begins a
    schedule anew; one that was resumed, or has an `initial_epoch`, goes on with it. Without a
    recipe, nothing is augmented unless asked for, and `compile` chooses the optimizer.

    Args:
        backbone: the pretrained network, or a new one.
        num_classes: number of classes, at least 2.
        class_names: the classes' names in the order of their labels; taken from the first data
            set that has any if None.
        frozen: whether only the head learns, or how many of the first blocks do not, with the
            stem; the backbone is then a copy of the one given, so that no other model freezes
            with it.
        pooling: "mean" or "attention" over positions; see `ClassificationHead`.
        recipe: "auto", a `FineTuningRecipe`, or None.
        rand_augment: see `Augmentation`; this and the next four are the recipe's if None, and 0
            without one.
        erasing: see `Augmentation`.
        mixup: see `Augmentation`.
        cutmix: see `Augmentation`.
        label_smoothing: probability that is spread over all classes in training.
        seed: of the augmentation, which is a function of (seed, step).
        mean: of the pixels per channel, in 0–255 units; ImageNet's if None.
        std: standard deviation of the pixels per channel, likewise.
        color_jitter: see `Augmentation`; the recipe's if None, and 0 without one.
        **kwargs: passed to `keras.Model`.

    Raises:
        ValueError: for arguments out of range.

    Source: the fine-tuning of Xie et al., "SimMIM", CVPR 2022, appendix A.

    Example:
    ```python
    import keras
    import keras_simmim as ks
    import numpy as np

    images = np.random.default_rng(0).integers(0, 256, (8, 16, 24, 3), dtype="uint8")
    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    classifier = ks.ImageClassifier(backbone, num_classes=3, label_smoothing=0.1)
    classifier.compile(keras.optimizers.AdamW(1e-3))
    classifier.fit(images, np.array([0, 1, 2, 0, 1, 2, 0, 1]), verbose=0)
    classifier.predict(images, verbose=0).shape   # (8, 3)
    ```
    """

    predicted = "probabilities"
    num_classes: int

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        class_names: Sequence[str] | None = None,
        frozen: bool | int = False,
        pooling: str = "mean",
        recipe: str | FineTuningRecipe | None = None,
        rand_augment: float | None = None,
        erasing: float | None = None,
        mixup: float | None = None,
        cutmix: float | None = None,
        label_smoothing: float | None = None,
        seed: int = 0,
        mean: float | tuple[float, ...] | None = None,
        std: float | tuple[float, ...] | None = None,
        color_jitter: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            backbone,
            num_classes,
            class_names,
            frozen,
            recipe,
            seed,
            mean=mean,
            std=std,
            **kwargs,
        )
        if pooling not in ("mean", "attention"):
            raise ValueError(f"pooling must be 'mean' or 'attention', got {pooling!r}.")
        constants = recipe if isinstance(recipe, FineTuningRecipe) else None
        if recipe == "auto":
            constants = automatic_recipe(backbone, 1, 1, 1)
        wanted = {
            "color_jitter": color_jitter,
            "rand_augment": rand_augment,
            "erasing": erasing,
            "mixup": mixup,
            "cutmix": cutmix,
            "label_smoothing": label_smoothing,
        }
        the_recipes = {} if constants is None else constants.batch_augmentation
        self.augmentations = {
            name: the_recipes.get(name, 0.0) if value is None else value
            for name, value in wanted.items()
        }
        self.label_smoothing = self.augmentations["label_smoothing"]
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(
                f"label_smoothing must be at least 0 and below 1, got {label_smoothing!r}."
            )
        parts = {n: v for n, v in self.augmentations.items() if n != "label_smoothing"}
        share = the_recipes.get("cutmix_share", 0.5)
        self.augmentation = Augmentation(**parts, cutmix_share=share, seed=seed)
        self.classifier = ClassificationHead(
            num_classes, pooling, norm=True, name="classifier", dtype=self.dtype_policy
        )
        self.trackers = [TrackedMean(n) for n in ("loss", "gradient_norm", "accuracy")]
        self.build((None, *backbone.image_shape))

    def build(self, input_shape: Shape) -> None:
        """Create all weights; the constructor does this."""
        if self.built:
            return
        if not self.classifier.built:
            self.classifier.build((None, *self.backbone.feature_shape))
        self.add_step()
        self.built = True

    # ------------------------------------------------------------------- the path

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Predict class probabilities, float32 (B, K), of images (B, H, W, C) of 0–255."""
        return super().call(images, training=self.learns(training))

    def outputs(self, features: Tensor) -> dict[str, Tensor]:
        """Give the "embedding" (B, D) of features and the "probabilities" (B, K) of classes."""
        return {**super().outputs(features), "probabilities": self.classifier(features)}

    def logits(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Score the classes before the softmax, float32 (B, K)."""
        features = self.backbone(self.normalize(images), training=self.learns(training))
        return self.classifier.logits(features)

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
            images, targets = self.augmentation(images, targets, step=self.step)
            spread = ops.sum(targets, axis=-1, keepdims=True) / self.num_classes
            targets = targets + self.label_smoothing * (spread - targets)
        logits = self.logits(images, training)
        entropy = -ops.sum(targets * ops.log_softmax(logits), axis=-1)
        loss = ops.mean(entropy) + sum(self.losses)
        hits = ops.cast(ops.cast(ops.argmax(logits, axis=-1), "int32") == labels, "float32")
        batch_size = ops.cast(ops.shape(labels)[0], "float32")
        return Measured(
            losses={"loss": (loss, batch_size), "accuracy": (ops.mean(hits), batch_size)},
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

    # ------------------------------------------------------------ making and saving

    @classmethod
    def from_config(cls, config: Config, custom_objects: Config | None = None) -> Self:
        """Return a classifier of this configuration, with new weights.

        Args:
            config: what `get_config` gave. Without "color_jitter", as earlier versions saved it,
                there is no jitter: a run goes on with what it began with.
            custom_objects: classes and functions by name, as Keras passes them on.
        """
        return super().from_config({"color_jitter": 0.0, **config}, custom_objects)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "pooling": self.classifier.pooling,
            **self.augmentations,
        }
