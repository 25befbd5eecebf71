"""Where in the image there might be an object, whatever it is."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class RPNHead(keras.layers.Layer):
    """Score the anchors of every position of every level, and predict the offsets of a box.

    A 3×3 convolution with GELU and two 1×1 convolutions are the same for all levels, whose maps
    therefore have one width.

    Args:
        num_anchors: anchors of a position.
        width: channels of the 3×3 convolution.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for numbers that are not positive integers.

    Source: Ren et al., "Faster R-CNN", NeurIPS 2015, section 3.1, the region proposal network;
    Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017, section 4.1.

    Example:
    ```python
    import keras
    from keras_simmim.heads import RPNHead

    maps = [keras.random.normal((2, 4, 6, 8)), keras.random.normal((2, 2, 3, 8))]
    objectness, offsets = RPNHead(num_anchors=3, width=16)(maps)
    objectness.shape, offsets.shape   # (2, 90), (2, 90, 4)
    ```
    """

    def __init__(self, num_anchors: int = 3, width: int = 128, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, value in (("num_anchors", num_anchors), ("width", width)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive integer, got {value!r}.")
        self.num_anchors = num_anchors
        self.width = width

    def build(self, input_shape: list[Shape]) -> None:
        """Create the weights for maps [(B, h, w, c), …] of one width c."""
        widths = sorted({shape[-1] for shape in input_shape})
        if len(widths) > 1:
            raise ValueError(f"maps must have one width, got {widths}.")
        self.hidden = self._convolution("hidden", self.width, 3, widths[0])
        self.objectness = self._convolution("objectness", self.num_anchors, 1, self.width)
        self.offsets = self._convolution("offsets", 4 * self.num_anchors, 1, self.width)

    def _convolution(self, name: str, filters: int, kernel: int, channels: int) -> Any:
        layer = keras.layers.Conv2D(
            filters,
            kernel,
            padding="same",
            data_format="channels_last",
            # All anchors are as good as each other at first, and boxes are the anchors.
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01)
            if kernel == 1
            else "glorot_uniform",
            name=name,
            dtype=self.dtype_policy,
        )
        layer.build((None, None, None, channels))
        return layer

    def call(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Look at maps [(B, h, w, c), …], finest first.

        Returns:
            The anchors' objectness before the sigmoid, float32 (B, N), and their offsets, float32
            (B, N, 4), in the order of `anchors`.
        """
        scores, offsets = [], []
        for features in maps:
            hidden = ops.gelu(self.hidden(features))
            count = features.shape[1] * features.shape[2] * self.num_anchors
            scores.append(ops.reshape(self.objectness(hidden), (-1, count)))
            offsets.append(ops.reshape(self.offsets(hidden), (-1, count, 4)))
        return (
            ops.cast(ops.concatenate(scores, axis=1), "float32"),
            ops.cast(ops.concatenate(offsets, axis=1), "float32"),
        )

    def compute_output_spec(self, maps: Any, **_: Any) -> tuple[Any, Any]:
        """Return the symbols of objectness and offsets."""
        batch = maps[0].shape[0]
        count = sum(each.shape[1] * each.shape[2] for each in maps) * self.num_anchors
        return (
            keras.KerasTensor((batch, count), dtype="float32"),
            keras.KerasTensor((batch, count, 4), dtype="float32"),
        )

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "num_anchors": self.num_anchors, "width": self.width}
