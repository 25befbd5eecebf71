"""A classifier on pretrained features: all of it learns from labels, or only its head."""

from collections.abc import Sequence
from typing import Any, Self

import keras

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.heads import ClassificationHead
from keras_simmim.models.classifier import Classifier
from keras_simmim.training.augmentation import Augmentation
from keras_simmim.training.fine_tuning_recipe import FineTuningRecipe, automatic_recipe
from keras_simmim.training.tracked_mean import TrackedMean


@keras.saving.register_keras_serializable("keras_simmim")
class ImageClassifier(Classifier):
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
            without one. Images of other than one or three channels have none of the recipe's, and
            no `color_jitter`.
        erasing: see `Augmentation`.
        mixup: see `Augmentation`.
        cutmix: see `Augmentation`.
        label_smoothing: probability that is spread over all classes in training.
        seed: of the augmentation, which is a function of (seed, step).
        mean: of the pixels per channel, in 0–255 units; ImageNet's if None.
        std: standard deviation of the pixels per channel, likewise.
        color_jitter: see `Augmentation`; the recipe's if None, and 0 without one.
        **kwargs: passed to `keras.Model`; and `value_range` and `channel_names`, see
            `BackboneModel`, which `fit` takes from its data set if they are None.

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
        if backbone.takes_tokens:
            raise ValueError(
                f"backbone must be one of images, got {type(backbone).__name__}, which takes "
                "tokens; for texts there is ks.TextClassifier."
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
        the_recipes = {} if constants is None else dict(constants.batch_augmentation)
        if backbone.image_shape[-1] not in (1, 3):
            # There are no colors to change.
            the_recipes |= {"color_jitter": 0.0, "rand_augment": 0.0}
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

    def augmented(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Augment and mix images of a step, and the targets (B, K) with them."""
        return self.augmentation(images, targets, step=self.step)

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
