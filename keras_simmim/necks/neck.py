"""The contract of every neck: maps in, maps out, each with its step in pixels."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Shape


class Neck(keras.layers.Layer):
    """Turn the maps of a backbone's pyramid into those that a head needs, finest first.

    `build` takes their shapes, and `strides_of` says the steps of the results.

    Args:
        **kwargs: passed to `keras.layers.Layer`.
    """

    def strides_of(self, strides: Sequence[int]) -> list[int]:
        """Give the steps of the results in pixels, for those of the maps that come in."""
        return list(strides)

    def compute_output_shape(self, input_shape: list[Shape]) -> list[Shape]:
        """Return the shapes of the results."""
        raise NotImplementedError

    def compute_output_spec(self, maps: Any, **_: Any) -> list[keras.KerasTensor]:
        """Return symbols of the results."""
        shapes = self.compute_output_shape([each.shape for each in maps])
        return [keras.KerasTensor(shape, dtype=self.compute_dtype) for shape in shapes]


def map_shapes(backbone: Backbone) -> list[Shape]:
    """Give the shapes (None, h, w, c) of a backbone's `pyramid`.

    Args:
        backbone: the network.
    """
    images = keras.Input(backbone.image_shape, dtype="float32")
    return [tuple(each.shape) for each in backbone.pyramid(images)]
