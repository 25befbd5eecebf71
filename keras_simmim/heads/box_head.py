"""What is in a region, and where exactly."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.boxes.roi_align import roi_align


@keras.saving.register_keras_serializable("keras_simmim")
class BoxHead(keras.layers.Layer):
    """Read regions off a pyramid, name their class and correct their borders.

    Regions become maps of one size by `roi_align`, which two dense layers with GELU look at. One
    box serves all classes.

    Args:
        num_classes: number of classes K; the background is one more.
        strides: pixels that one position of each map steps by, ascending.
        width: of the dense layers.
        region_size: rows and columns of a region's map.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for numbers that are not positive integers.

    Source: Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017, section 4.2.

    Example:
    ```python
    import keras
    from keras_simmim.heads import BoxHead

    maps = [keras.random.normal((2, 4, 6, 8)), keras.random.normal((2, 2, 3, 8))]
    regions = keras.ops.array([[[0.0, 0.0, 8.0, 9.0]]] * 2)
    scores, offsets = BoxHead(num_classes=3, strides=[4, 8], width=16)(maps, regions)
    scores.shape, offsets.shape   # (2, 1, 4), (2, 1, 4)
    ```
    """

    def __init__(
        self,
        num_classes: int,
        strides: Sequence[int],
        width: int = 256,
        region_size: int = 7,
        **kwargs: Any,
    ) -> None:
        # Boxes stay float32 under any precision policy.
        super().__init__(autocast=False, **kwargs)
        for name, value in (
            ("num_classes", num_classes),
            ("width", width),
            ("region_size", region_size),
        ):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive integer, got {value!r}.")
        self.num_classes = num_classes
        self.strides = list(strides)
        self.width = width
        self.region_size = region_size

    def build(self, maps_shape: list[Shape], boxes_shape: Shape = (None, None, 4)) -> None:
        """Create the weights for maps [(B, h, w, c), …] of one width c."""
        width = self.region_size**2 * maps_shape[0][-1]
        self.hidden = []
        for number in (1, 2):
            self.hidden.append(self._dense(f"hidden_{number}", self.width, width))
            width = self.width
        self.scoring = self._dense("scores", self.num_classes + 1, width, 0.01)
        self.offsets = self._dense("offsets", 4, width, 0.001)

    def _dense(self, name: str, units: int, width: int, stddev: float | None = None) -> Any:
        initializer: Any = "glorot_uniform"
        if stddev is not None:
            initializer = keras.initializers.RandomNormal(stddev=stddev)
        layer = keras.layers.Dense(
            units, kernel_initializer=initializer, name=name, dtype=self.dtype_policy
        )
        layer.build((None, None, width))
        return layer

    def call(self, maps: list[Tensor], boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Look at regions.

        Args:
            maps: [(B, h, w, c), …], finest first.
            boxes: float32 (B, R, 4), in pixels and within the image. No gradient passes to them.

        Returns:
            The scores of the background and then of the classes before the softmax, float32
            (B, R, K + 1), and offsets from the regions, float32 (B, R, 4).
        """
        regions = roi_align(maps, self.strides, boxes, self.region_size)
        hidden = ops.reshape(regions, (-1, boxes.shape[1], self.hidden[0].kernel.shape[0]))
        for layer in self.hidden:
            hidden = ops.gelu(layer(hidden))
        return (
            ops.cast(self.scoring(hidden), "float32"),
            ops.cast(self.offsets(hidden), "float32"),
        )

    def compute_output_spec(self, maps: Any, boxes: Any) -> tuple[Any, Any]:
        """Return the symbols of scores and offsets."""
        shape = tuple(boxes.shape[:2])
        return (
            keras.KerasTensor((*shape, self.num_classes + 1), dtype="float32"),
            keras.KerasTensor((*shape, 4), dtype="float32"),
        )

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "strides": self.strides,
            "width": self.width,
            "region_size": self.region_size,
        }
