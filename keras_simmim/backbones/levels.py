"""The layers of a functional Keras model whose outputs are its pyramid."""

import functools
from collections.abc import Sequence
from typing import Any

import keras

from keras_simmim.backend.types import Tensor


class Levels:
    """Give the maps of a functional model at several scales, finest first.

    It holds a further model of the same layers, hidden from the backbone's own saving, which is
    made when it is first asked for, or at once for given names.

    Args:
        model: a functional model of images (H, W, C).
        names: of the layers whose outputs are the levels; None: at each scale, a power of two of
            pixels, the last map.

    Raises:
        ValueError: for a layer that the model does not have, or one that gives no map.
    """

    def __init__(self, model: keras.Model, names: Sequence[str] | None = None) -> None:
        self.model = model
        self.maps = {layer.name: layer.output for layer in model.layers if _gives_map(layer)}
        self.given = None if names is None else list(names)
        missing = [name for name in self.given or () if not self._leads_to(name)]
        if missing:
            raise ValueError(f"levels must be names of layers with maps, got {missing}.")

    @functools.cached_property
    def names(self) -> list[str]:
        """List the layers, finest first."""
        if self.given is not None:
            return sorted(self.given, key=lambda name: -self.maps[name].shape[1])
        height, width = self.model.inputs[0].shape[1:3]
        found: dict[int, str] = {}
        for name, output in reversed(self.maps.items()):
            rows, columns = output.shape[1:3]
            stride = 1 << max(round(height / rows) - 1, 0).bit_length()
            fits = (rows, columns) == (-(-height // stride), -(-width // stride))
            if stride > 1 and fits and stride not in found and self._leads_to(name):
                found[stride] = name
        return [found[stride] for stride in sorted(found)]

    @functools.cached_property
    def stages(self) -> list[tuple[int, int]]:
        """List (stride in pixels, channels) of the levels; empty where there are none."""
        height = self.model.inputs[0].shape[1]
        outputs = [self.maps[name] for name in self.names]
        return [(-(-height // output.shape[1]), output.shape[-1]) for output in outputs]

    @functools.cached_property
    def network(self) -> keras.Model:
        """Make the model of all levels."""
        return keras.Model(self.model.inputs[0], [self.maps[name] for name in self.names])

    def __call__(self, images: Tensor, training: bool | None) -> list[Tensor]:
        """Return the maps of normalized images (B, H, W, C)."""
        outputs = self.network(images, training=training)
        return outputs if isinstance(outputs, list) else [outputs]

    def _leads_to(self, name: str) -> bool:
        """Tell whether a layer's map is made of the model's images, and not in another model."""
        if name not in self.maps:
            return False
        try:
            keras.Model(self.model.inputs[0], self.maps[name])
        except ValueError:
            return False
        return True


def _gives_map(layer: keras.layers.Layer) -> bool:
    """Tell whether a layer has one output (B, h, w, c) of known size."""
    output: Any = getattr(layer, "output", None)
    shape = tuple(getattr(output, "shape", ()))
    return len(shape) == 4 and None not in shape[1:]
