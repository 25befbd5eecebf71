"""A task that looks at every part of an image: maps of several scales, and a geometry for all."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.data.pipeline.origin import origin
from keras_simmim.models.fine_tuned_model import FineTunedModel
from keras_simmim.necks import NormedMaps, SimplePyramid
from keras_simmim.necks.neck import Neck, map_shapes
from keras_simmim.training.fine_tuning_recipe import FineTuningRecipe
from keras_simmim.training.joint_crops import JointCrops

# Of a recipe, where no augmentation is given: half the area and more, and mirrored.
_SCALE = (0.5, 1.0)
_COLOR_JITTER = 0.4


class DenseModel(FineTunedModel):
    """Look at an image through a backbone's pyramid.

    Maps of several scales are normed; a backbone of one scale gets ViTDet's simple pyramid.

    Args:
        backbone: the pretrained network, or a new one.
        num_classes: number of classes.
        class_names: see `FineTunedModel`.
        frozen: see `FineTunedModel`.
        recipe: see `FineTunedModel`.
        augmentation: a `JointCrops`, which changes images and targets alike in training; None: the
            recipe's, which crops, mirrors and jitters colors, and nothing without a recipe.
        seed: see `FineTunedModel`.
        neck_width: channels of a simple pyramid's maps.
        **options: of `BackboneModel`.

    Raises:
        ValueError: for arguments out of range.
    """

    sees_whole = True
    # A decoder has more to learn than a classifier's one layer: 120 steps on 68 Blue Marble tiles
    # came to a mean IoU of 0.22 with the official rate, and to 0.27 with this one.
    recipe_rate = 5e-3
    # What `fit` takes beside images, as errors name it.
    targets: str

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        class_names: Sequence[str] | None = None,
        frozen: bool | int = False,
        recipe: str | FineTuningRecipe | None = None,
        augmentation: JointCrops | None = None,
        seed: int = 0,
        neck_width: int = 128,
        **options: Any,
    ) -> None:
        super().__init__(backbone, num_classes, class_names, frozen, recipe, seed, **options)
        if backbone.takes_tokens:
            raise ValueError(
                f"backbone must be one of images, got {type(backbone).__name__}, one of tokens."
            )
        if augmentation is not None and not isinstance(augmentation, JointCrops):
            raise ValueError(
                f"augmentation must be a ks.training.JointCrops or None, got {augmentation!r}."
            )
        self.neck_width = neck_width
        self.given_augmentation = augmentation
        self.augmentation = augmentation
        if augmentation is None and recipe is not None:
            jitter = _COLOR_JITTER if backbone.image_shape[-1] in (1, 3) else 0.0
            self.augmentation = JointCrops(_SCALE, color_jitter=jitter, seed=seed)
        shapes = map_shapes(self.backbone)
        strides = [stride for stride, _ in self.backbone.stages]
        neck: Neck = NormedMaps(name="neck", dtype=self.dtype_policy)
        if len(shapes) == 1:
            # No map is finer than the pixels.
            finest = 1 if strides[0] > 1 else 0
            neck = SimplePyramid(neck_width, finest, name="neck", dtype=self.dtype_policy)
        neck.build(shapes)
        # Keras keeps whatever was an attribute once.
        self.neck = neck
        self.map_shapes = self.neck.compute_output_shape(shapes)
        self.map_strides = self.neck.strides_of(strides)

    def features(self, images: Tensor, training: bool | None = None) -> list[Tensor]:
        """Return the normalized images (B, H, W, C) and the pyramid's maps, finest first.

        Args:
            images: (B, H, W, C), uint8 or float, 0–255.
            training: whether layers behave as in training.
        """
        pixels = self.normalize(images)
        return [pixels, *self.neck(self.backbone.pyramid(pixels, training=self.learns(training)))]

    def outputs(self, features: list[Tensor]) -> dict[str, Tensor]:
        """Give nothing by itself: what is made of the maps is the tasks' own."""
        return {}

    def raw_outputs(self, features: list[Tensor]) -> dict[str, Tensor]:
        """Give `outputs` as the network has them, before anything else is done to them."""
        return self.outputs(features)

    def exported(self, images: Tensor, raw: bool = False) -> dict[str, Tensor]:
        """Give `outputs` and the "embedding" (B, D) that `embed` gives, or `raw_outputs` alone.

        Args:
            images: as for `BackboneModel.exported`.
            raw: likewise.
        """
        features = self.features(images)
        if raw:
            return self.raw_outputs(features)
        # Not of the neck's maps, which are others. No answer needs both passes.
        embedding = self.backbone.pool(self.backbone(features[0]))
        return {**self.outputs(features), "embedding": embedding}

    def check_given(self, arguments: Config) -> None:
        """Raise ValueError for targets that the task cannot learn from; see `check_targets`.

        Args:
            arguments: of `fit`, by name.
        """
        x, y, validation_data = (arguments[name] for name in ("x", "y", "validation_data"))
        if y is not None:
            self.check_targets(y, "y", whole=True)
        if isinstance(validation_data, tuple) and len(validation_data) > 1:
            self.check_targets(validation_data[1], f"validation_data's {self.targets}", whole=False)
        for name, data in (("x", x), ("validation_data", validation_data)):
            names = origin(data, "class_names")
            if names is not None and len(names) != self.num_classes:
                raise ValueError(
                    f"{name} has {len(names)} classes, {names}, but num_classes={self.num_classes}."
                )
            specification = getattr(data, "element_spec", None)
            if specification is None:
                continue
            if not isinstance(specification, tuple) or len(specification) < 2:
                raise ValueError(
                    f"{name} must give (images, {self.targets}) batches, got images alone."
                )
            for batch in data.take(1).as_numpy_iterator():
                self.check_targets(batch[1], f"{name}'s {self.targets}", whole=False)

    def check_targets(self, targets: Any, name: str, whole: bool) -> None:
        """Raise ValueError for targets of another shape, or of other classes than the model's.

        Args:
            targets: of `fit`, or of one batch.
            name: of the argument, for the error.
            whole: whether they are all that there are.
        """
        raise NotImplementedError

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "augmentation": keras.saving.serialize_keras_object(self.given_augmentation),
            "neck_width": self.neck_width,
        }
