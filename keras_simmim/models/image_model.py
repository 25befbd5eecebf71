"""A model of images around a backbone: normalized pixels in, an embedding out."""

from typing import Any, Self

import keras
import numpy as np

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.models.embedder import Embedder
from keras_simmim.models.normalization import IMAGENET_MEAN, IMAGENET_STD, per_channel
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
        self.normalize = keras.layers.Rescaling(
            scale=[1 / value for value in self.std],
            offset=[-center / value for center, value in zip(self.mean, self.std, strict=True)],
            dtype="float32",
            name="normalize",
        )
        # Before every epoch Keras runs a model symbolically that has any layer not built.
        self.normalize.build((None, *backbone.image_shape))
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
        features = self.backbone(self.normalize(images), training=training)
        return self.outputs(features)[self.predicted]

    def outputs(self, features: Tensor) -> dict[str, Tensor]:
        """Make of a feature map (B, h, w, c) all that a user or a server gets, by name."""
        return {"embedding": self.backbone.pool(features)}

    def depth_of(self, variable: keras.Variable) -> int:
        """Return the number of the block that a weight belongs to: see `Backbone.depth_of`."""
        return self.backbone.depth_of(variable)

    @property
    def num_blocks(self) -> int:
        """Count the backbone's blocks: see `Backbone.num_blocks`."""
        return self.backbone.num_blocks

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
        return np.asarray(self.embedder.embed(images, batch_size))

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
        return self.embedder.embed_blocks(images, batch_size)

    # ----------------------------------------------------------------------------- saving

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            "name": self.name,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "mean": self.mean,
            "std": self.std,
        }

    @classmethod
    def from_config(cls, config: Config, custom_objects: Config | None = None) -> Self:
        """Make a model of this configuration, with new weights."""
        parts = {
            name: keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)
            for name, value in config.items()
            if isinstance(value, dict)
        }
        return cls(**{**config, **parts})
