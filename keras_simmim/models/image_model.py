"""A model of images around a backbone: normalized pixels in, an embedding out."""

from typing import Any, Self

import keras
import numpy as np

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.frozen_parts import freeze_parts, frozen_parts
from keras_simmim.models.embedder import Embedder
from keras_simmim.models.given_data import as_array, warn_of_small_pixels
from keras_simmim.models.normalization import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Normalize,
    per_channel,
)
from keras_simmim.training.trained_model import TrainedModel


@keras.saving.register_keras_serializable("keras_simmim")
class ImageModel(TrainedModel):
    """Take pixels of 0–255, normalize them and look at them through a backbone.

    By itself it embeds images. Subclasses have `outputs`, which says what they make of features,
    and `compute_losses`, which teaches them.

    Args:
        backbone: the network; it takes normalized floats.
        mean: of the pixels per channel, in 0–255 units; ImageNet's if None (for a number of
            channels other than 3, the average of its three).
        std: standard deviation of the pixels per channel, likewise.
        **kwargs: passed to `keras.Model`.

    Raises:
        ValueError: for a mean or std that does not fit the channels.
    """

    # What `predict` gives of `outputs`, and the classes that it names, where it does.
    predicted: str = "embedding"
    num_classes: int | None = None
    class_names: list[str] | None = None
    # Whether a served model looks at the whole of a file, squeezed, and not at its central crop.
    sees_whole: bool = False

    def __init__(
        self,
        backbone: Backbone,
        mean: float | tuple[float, ...] | None = None,
        std: float | tuple[float, ...] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.backbone = backbone
        channels = backbone.image_shape[-1]
        self.mean = per_channel("mean", mean, IMAGENET_MEAN, channels)
        self.std = per_channel("std", std, IMAGENET_STD, channels)
        self.normalize = Normalize(backbone.image_shape, self.mean, self.std, name="normalize")
        self.embedder = Embedder(self)

    def build(self, input_shape: Shape) -> None:
        """Create all weights; subclasses do this in the constructor."""
        if not self.built:
            self.add_step()
            self.built = True

    # ------------------------------------------------------------- the path, nothing masked

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Predict what `predicted` names.

        Args:
            images: (B, H, W, C), uint8 or float, 0–255.
            training: whether layers such as dropout behave as in training.
        """
        return self.outputs(self.features(images, training))[self.predicted]

    def features(self, images: Tensor, training: bool | None = None) -> Any:
        """Return what `outputs` takes: here the feature map (B, h, w, c) of pixels (B, H, W, C).

        Args:
            images: as for a call.
            training: likewise.
        """
        return self.backbone(self.normalize(images), training=training)

    def outputs(self, features: Any) -> dict[str, Tensor]:
        """Make of `features` all that a user or a server gets, by name."""
        return {"embedding": self.backbone.pool(features)}

    def exported(self, images: Tensor, raw: bool = False) -> dict[str, Tensor]:
        """Give all that the exports hold, by name.

        Args:
            images: (B, H, W, C), float, 0–255.
            raw: whether for runtimes without TensorFlow, which get the network alone and not what
                comes behind it, such as the suppression of boxes.
        """
        return self.outputs(self.features(images))

    @property
    def signatures(self) -> dict[str, tuple[str, ...]]:
        """Name what each signature of a served model answers with: see `export_saved_model`.

        All take files but "images". An answer is what `exported` gives, or what the server makes of
        that: see `keras_simmim.export.answers`.
        """
        answer = ("embedding",) if self.num_classes is None else ("probabilities", "classes")
        return {"serving_default": answer, "images": answer, "embed": ("embedding",)}

    def sheets(self, images: Any, truth: Any = None, scale: int = 1) -> dict[str, np.ndarray]:
        """Lay out pictures of what the model makes of images, by name; here there are none.

        `callbacks.Watch` shows all of them, a report the first.

        Args:
            images: array (N, H, W, C), uint8 or float 0–255; as many as to look at.
            truth: what `fit` takes beside them, where the model shows it; or None.
            scale: enlargement, a whole number of pixels for each.

        Returns:
            uint8 arrays (height, width, 1 or 3).
        """
        return {}

    def features_by_stage(self, images: Tensor) -> dict[str, Tensor]:
        """Follow images through the model, and return the features behind each stage.

        Args:
            images: (B, H, W, C), uint8 or float, 0–255.

        Returns:
            "stem" (B, h, w, c) and "encoder" (B, h', w', c'), nothing masked.
        """
        stem = self.backbone.stem(self.normalize(images), training=False)
        return {"stem": stem, "encoder": self.backbone.encoder(stem, training=False)}

    def depth_of(self, variable: keras.Variable) -> int:
        """Return the number of the block that a weight belongs to: see `Backbone.depth_of`."""
        return self.backbone.depth_of(variable)

    @property
    def num_blocks(self) -> int:
        """Count the backbone's blocks: see `Backbone.num_blocks`."""
        return self.backbone.num_blocks

    def before_fit(self, arguments: Config) -> None:
        """Make arrays of lists, and warn of pixels that are not 0–255.

        Args:
            arguments: of `fit`, by name.
        """
        for name in ("x", "y", "sample_weight"):
            arguments[name] = as_array(arguments[name])
        validation_data = arguments["validation_data"]
        if isinstance(validation_data, tuple | list):
            arguments["validation_data"] = tuple(map(as_array, validation_data))
        warn_of_small_pixels(arguments["x"])

    # -------------------------------------------------------------------------- embedding

    def embed(self, images: Any, batch_size: int | None = None) -> np.ndarray:
        """Embed images, nothing masked: for search, kNN and clustering.

        Args:
            images: array (N, H, W, C), uint8 or float 0–255, or a dataset of image batches or
                (images, labels) batches.
            batch_size: images at a time, for arrays; 32 if None.

        Returns:
            float32 array (N, D), the mean of the backbone's features over positions.
        """
        return np.asarray(self.embedder.embed(as_array(images), batch_size))

    def embed_blocks(self, images: Any, batch_size: int | None = None) -> list[np.ndarray]:
        """Embed images by every block's output.

        Args:
            images: as for `embed`.
            batch_size: as for `embed`.

        Returns:
            A float32 array (N, D) for each block, first to last.

        Raises:
            NotImplementedError: for a backbone that does not consist of blocks.
        """
        return self.embedder.embed_blocks(as_array(images), batch_size)

    def embed_labeled(
        self, data: Any, all_blocks: bool = False
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Embed images and read their labels in one pass, so that they belong together.

        Args:
            data: (images, labels) arrays, or a `tf.data.Dataset`, a `keras.utils.PyDataset` or a
                torch DataLoader of such batches, which may be in another order at every iteration.
            all_blocks: whether to embed by every block's output; else by the features.

        Returns:
            A float32 array (N, D) for each block, or one, and the labels (N,).

        Raises:
            ValueError: for data without labels.
            NotImplementedError: for blocks of a backbone that does not consist of blocks.
        """
        if isinstance(data, tuple | list):
            return self._embedded(data[0], all_blocks), np.asarray(data[1])
        if hasattr(data, "element_spec"):
            return self.embedder.embed_labeled(data, all_blocks)
        batches = data
        if isinstance(data, keras.utils.PyDataset):
            batches = (data[index] for index in range(len(data)))
        parts = [(self._embedded(np.asarray(x), all_blocks), np.asarray(y)) for x, y in batches]
        embedded = [np.concatenate(each) for each in zip(*(e for e, _ in parts), strict=True)]
        return embedded, np.concatenate([labels for _, labels in parts])

    def _embedded(self, images: Any, all_blocks: bool) -> list[np.ndarray]:
        return self.embed_blocks(images) if all_blocks else [self.embed(images)]

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Predict as `keras.Model.predict` does, also of a list of images."""
        return super().predict(as_array(x), *args, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Evaluate as `keras.Model.evaluate` does, also lists of images and labels."""
        return super().evaluate(as_array(x), as_array(y), *args, **kwargs)

    # ----------------------------------------------------------------------------- saving

    def get_config(self) -> Config:
        """Return the constructor's arguments, and which layers do not learn."""
        return {
            "name": self.name,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "mean": self.mean,
            "std": self.std,
            "frozen_parts": frozen_parts(self),
        }

    @classmethod
    def from_config(cls, config: Config, custom_objects: Config | None = None) -> Self:
        """Make a model of this configuration, with new weights."""

        def made(value: Any) -> Any:
            return keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)

        arguments = dict(config)
        for name, value in config.items():
            if isinstance(value, dict):
                arguments[name] = made(value)
            elif isinstance(value, list) and value and isinstance(value[0], dict):
                arguments[name] = [made(part) for part in value]
        # Files of earlier versions do not have it.
        frozen = arguments.pop("frozen_parts", None)
        model = cls(**arguments)
        if frozen is not None:
            freeze_parts(model, frozen)
        return model
