"""Images to vectors in one call of Keras' `predict`, made when it is first asked for."""

import warnings
from typing import Any

import keras

from keras_simmim.backend.types import Tensor


class Embedder:
    """Embed images by the last features, or by those of every block.

    It holds functional models on the weights of the model that it serves. Keras lets no model be
    added to one that is built, and saves what it finds in properties: hence an object.

    Args:
        model: an `ImageModel`.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.last: keras.Model | None = None
        self.blocks: keras.Model | None = None

    def embed(self, images: Any, batch_size: int | None) -> Any:
        """Predict float32 embeddings (N, D)."""
        if self.last is None:
            pixels, normalized = self._pixels()
            features = self.model.backbone(normalized)
            self.last = keras.Model(pixels, self.model.backbone.pool(features))
        return _predicted(self.last, images, batch_size)

    def embed_blocks(self, images: Any, batch_size: int | None) -> list[Any]:
        """Predict float32 embeddings (N, D) by each block."""
        if self.blocks is None:
            pixels, normalized = self._pixels()
            backbone = self.model.backbone
            outputs = [backbone.pool(block) for block in backbone.block_outputs(normalized)]
            self.blocks = keras.Model(pixels, outputs)
        embedded = _predicted(self.blocks, images, batch_size)
        return embedded if isinstance(embedded, list) else [embedded]

    def _pixels(self) -> tuple[Tensor, Tensor]:
        shape = self.model.backbone.image_shape
        pixels = keras.Input(shape, dtype="float32", name="images")
        return pixels, self.model.normalize(pixels)


def _predicted(model: keras.Model, images: Any, batch_size: int | None) -> Any:
    """Predict for all images."""
    with warnings.catch_warnings():
        # Keras takes the end of data of unknown size for an interruption.
        warnings.filterwarnings("ignore", "Your input ran out of data")
        return model.predict(images, batch_size=batch_size, verbose=0)
