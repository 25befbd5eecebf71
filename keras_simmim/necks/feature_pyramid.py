"""Maps of several scales, of which the coarse ones tell the fine ones what they see."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.necks.neck import Neck


@keras.saving.register_keras_serializable("keras_simmim")
class FeaturePyramid(Neck):
    """Bring all maps to one width and add to each the enlarged coarser one.

    Args:
        width: channels of all results.
        extra: further, coarser results, each by a 3×3 convolution of step 2.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for numbers out of range.

    Source: Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017; for the
    further levels Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017.

    Example:
    ```python
    import keras
    from keras_simmim.necks import FeaturePyramid

    maps = [keras.random.normal((2, 6, 10, 4)), keras.random.normal((2, 3, 5, 8))]
    [each.shape[1:] for each in FeaturePyramid(16, extra=1)(maps)]
    # [(6, 10, 16), (3, 5, 16), (2, 3, 16)]
    ```
    """

    def __init__(self, width: int = 256, extra: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(width, int) or width < 1:
            raise ValueError(f"width must be a positive integer, got {width!r}.")
        if not isinstance(extra, int) or not 0 <= extra <= 4:
            raise ValueError(f"extra must be an integer from 0 to 4, got {extra!r}.")
        self.width = width
        self.extra = extra

    def build(self, input_shape: list[Shape]) -> None:
        """Create the weights for these maps, finest first."""
        self.lateral, self.smooth, self.coarser = [], [], []
        for level, shape in enumerate(input_shape):
            self.lateral.append(self._convolution(f"lateral_{level}", 1, 1, tuple(shape)))
            inner = (*shape[:3], self.width)
            self.smooth.append(self._convolution(f"smooth_{level}", 3, 1, inner))
        for level in range(self.extra):
            inner = (None, None, None, self.width)
            self.coarser.append(self._convolution(f"coarser_{level}", 3, 2, inner))

    def _convolution(self, name: str, kernel: int, step: int, shape: Shape) -> Any:
        layer = keras.layers.Conv2D(
            self.width,
            kernel,
            strides=step,
            padding="same",
            data_format="channels_last",
            name=name,
            dtype=self.dtype_policy,
        )
        layer.build(shape)
        return layer

    def call(self, maps: list[Tensor]) -> list[Tensor]:
        """Join the maps [(B, h, w, c), …], finest first."""
        joined = [layer(each) for layer, each in zip(self.lateral, maps, strict=True)]
        for level in range(len(joined) - 2, -1, -1):
            joined[level] = joined[level] + enlarged(joined[level + 1], joined[level].shape[1:3])
        results = [layer(each) for layer, each in zip(self.smooth, joined, strict=True)]
        for index, layer in enumerate(self.coarser):
            results.append(layer(ops.gelu(results[-1]) if index else results[-1]))
        return results

    def strides_of(self, strides: list[int] | Sequence[int]) -> list[int]:
        """Give the steps of the results in pixels."""
        return [*strides, *(strides[-1] * 2 ** (n + 1) for n in range(self.extra))]

    def compute_output_shape(self, input_shape: list[Shape]) -> list[Shape]:
        """Return the shapes of the results."""
        shapes = [(*shape[:3], self.width) for shape in input_shape]
        for _ in range(self.extra):
            batch, rows, columns, width = shapes[-1]
            shapes.append((batch, -(-rows // 2), -(-columns // 2), width))
        return shapes

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "width": self.width, "extra": self.extra}


def enlarged(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Repeat positions until a map fills a size, and leave out what is too much.

    Args:
        features: (B, h, w, c).
        size: (rows, columns), at least h and w.
    """
    for axis, wanted in enumerate(size, start=1):
        times = -(-wanted // features.shape[axis])
        features = ops.repeat(features, times, axis=axis) if times > 1 else features
    return features[:, : size[0], : size[1]]
