"""The layers of a functional Keras model whose outputs are its pyramid."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_simmim.backend.types import Tensor


class Levels:
    """Give the maps of a functional model at several scales, finest first.

    It holds a further model of the same layers, hidden from the backbone's own saving.

    Args:
        model: a functional model of images (H, W, C).
        names: of the layers whose outputs are the levels; None: at each scale the last map.

    Raises:
        ValueError: for a layer that the model does not have, or one that gives no map.
    """

    def __init__(self, model: keras.Model, names: Sequence[str] | None = None) -> None:
        height, width = model.inputs[0].shape[1:3]
        maps = {layer.name: layer.output for layer in model.layers if _gives_map(layer)}
        if names is None:
            last = {}
            for name, output in maps.items():
                rows, columns = output.shape[1:3]
                stride = 1 << max(round(height / rows) - 1, 0).bit_length()
                if stride > 1 and (rows, columns) == (-(-height // stride), -(-width // stride)):
                    last[stride] = name
            names = [last[stride] for stride in sorted(last)]
        missing = [name for name in names if name not in maps]
        if missing:
            raise ValueError(f"levels must be names of layers with maps, got {missing}.")
        self.names = sorted(names, key=lambda name: -maps[name].shape[1])
        outputs = [maps[name] for name in self.names]
        self.stages = [(-(-height // output.shape[1]), output.shape[-1]) for output in outputs]
        self.model: Any = keras.Model(model.inputs[0], outputs) if outputs else None

    def __call__(self, images: Tensor, training: bool | None) -> list[Tensor]:
        """Return the maps of normalized images (B, H, W, C)."""
        outputs = self.model(images, training=training)
        return outputs if isinstance(outputs, list) else [outputs]


def _gives_map(layer: keras.layers.Layer) -> bool:
    """Tell whether a layer has one output (B, h, w, c) of known size."""
    output: Any = getattr(layer, "output", None)
    shape = tuple(getattr(output, "shape", ()))
    return len(shape) == 4 and None not in shape[1:]
