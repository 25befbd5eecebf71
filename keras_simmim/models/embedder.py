"""Images to vectors in one call of Keras' `predict`, made when it is first asked for."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_simmim.backend import distribution
from keras_simmim.backend.types import Tensor
from keras_simmim.models.given_data import until_it_ends


class Embedder:
    """Embed images by the last features, or by those of every block.

    It holds functional models on the weights of the model that it serves. Keras lets no model be
    added to one that is built, and saves what it finds in properties: hence an object.

    Args:
        model: a `BackboneModel`.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.last: keras.Model | None = None
        self.blocks: keras.Model | None = None
        self.labeled: dict[bool, keras.Model] = {}
        self.others: dict[str, keras.Model] = {}

    def embed(self, images: Any, batch_size: int | None) -> Any:
        """Predict float32 embeddings (N, D)."""
        self._check(images)
        if self.last is None:
            pixels, outputs = self._network(all_blocks=False)
            self.last = keras.Model(pixels, outputs[0])
        return _predicted(self.last, images, batch_size)

    def embed_blocks(self, images: Any, batch_size: int | None) -> list[Any]:
        """Predict float32 embeddings (N, D) by each block."""
        self._check(images)
        if self.blocks is None:
            self.blocks = keras.Model(*self._network(all_blocks=True))
        embedded = _predicted(self.blocks, images, batch_size)
        return embedded if isinstance(embedded, list) else [embedded]

    def embed_labeled(self, dataset: Any, all_blocks: bool) -> tuple[list[Any], Any]:
        """Predict embeddings by the last block or by each, and read the labels on the way."""
        self._check(dataset)
        if all_blocks not in self.labeled:
            pixels, outputs = self._network(all_blocks)
            labels = keras.Input((), dtype="int32", name="labels")
            passed = keras.layers.Identity(dtype="int32")(labels)
            self.labeled[all_blocks] = keras.Model([pixels, labels], [*outputs, passed])
        pairs = dataset.map(lambda images, labels, *_: ((images, labels),))
        *embedded, labels = _predicted(self.labeled[all_blocks], pairs, None)
        return embedded, labels

    def of_pixels(
        self, function: Callable[[Tensor], Any], images: Any, batch_size: int | None
    ) -> Any:
        """Predict what a function makes of pixels (B, H, W, C); its name says which it is."""
        self._check(images)
        if function.__name__ not in self.others:
            pixels = self._input()
            self.others[function.__name__] = keras.Model(pixels, function(pixels))
        return _predicted(self.others[function.__name__], images, batch_size)

    def of_model(self, images: Any, batch_size: int | None) -> Any:
        """Predict what the model itself does."""
        self._check(images)
        return _predicted(self.model, images, batch_size)

    def _check(self, images: Any) -> None:
        """Raise ValueError for images of another size, with more to say than Keras has."""
        specification = getattr(images, "element_spec", images)
        if isinstance(specification, tuple):
            specification = specification[0]
        sizes = getattr(specification, "shape", None)
        if sizes is not None and getattr(sizes, "rank", True) is not None:
            self.model.inputs_taken.check_sizes(tuple(sizes))

    def _network(self, all_blocks: bool) -> tuple[Tensor, list[Tensor]]:
        """Return pixels, symbolically, and what their embeddings are."""
        backbone = self.model.backbone
        pixels = self._input()
        normalized = self.model.normalize(pixels)
        maps = backbone.block_outputs(normalized) if all_blocks else [backbone.features(normalized)]
        return pixels, [backbone.pool(each) for each in maps]

    def _input(self) -> Tensor:
        """Return an input of the model, symbolically."""
        taken = self.model.inputs_taken
        return keras.Input(self.model.backbone.example_shape, dtype=taken.dtype, name=taken.name)


def _predicted(model: keras.Model, images: Any, batch_size: int | None) -> Any:
    """Predict for all images."""
    if isinstance(images, np.ndarray) and len(images) == 0:
        # Keras has no outputs then, and fails.
        empty = [np.zeros((0, *output.shape[1:]), output.dtype) for output in model.outputs]
        return empty if len(empty) > 1 else empty[0]
    with until_it_ends(), distribution.whole_batches():
        return model.predict(images, batch_size=batch_size, verbose=0)
