"""A pyramid made of the single map of a plain network."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.doubling import Doubling
from keras_simmim.layers.layer_norm import LayerNorm
from keras_simmim.necks.neck import Neck


@keras.saving.register_keras_serializable("keras_simmim")
class SimplePyramid(Neck):
    """Enlarge and shrink one map, by transposed convolutions and by maxima.

    Each result goes through a 1×1 and a 3×3 convolution, with a layer norm behind each.

    Args:
        width: channels of all results.
        finest: doublings of the map in the first result, 0–2.
        levels: number of results, each half as fine as the one before.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for numbers out of range.

    Source: Li et al., "Exploring Plain Vision Transformer Backbones for Object Detection", ECCV
    2022, section 3.

    Example:
    ```python
    import keras
    from keras_simmim.necks import SimplePyramid

    maps = SimplePyramid(width=16)([keras.random.normal((2, 6, 8, 32))])
    [each.shape[1:3] for each in maps]   # [(12, 16), (6, 8), (3, 4), (2, 2)]
    ```
    """

    def __init__(self, width: int = 256, finest: int = 1, levels: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, value, least, most in (
            ("width", width, 1, 65536),
            ("finest", finest, 0, 2),
            ("levels", levels, 1, 8),
        ):
            if not isinstance(value, int) or not least <= value <= most:
                raise ValueError(
                    f"{name} must be an integer from {least} to {most}, got {value!r}."
                )
        self.width = width
        self.finest = finest
        self.levels = levels

    def build(self, input_shape: list[Shape]) -> None:
        """Create the weights for one map (B, h, w, c)."""
        if len(input_shape) != 1:
            raise ValueError(f"maps must be one, got {len(input_shape)}.")
        self.enlarging: list[list[keras.layers.Layer]] = []
        self.projecting: list[list[keras.layers.Layer]] = []
        for level, shape in enumerate(self._enlarged_shapes(input_shape[0])):
            channels = input_shape[0][-1]
            enlarging: list[keras.layers.Layer] = []
            for step in range(max(self.finest - level, 0)):
                name = f"enlarge_{level}_{step}"
                enlarging.append(Doubling(channels, name=name, dtype=self.dtype_policy))
                if step:
                    continue
                norm = LayerNorm(epsilon=1e-6, name=f"{name}_norm", dtype=self.dtype_policy)
                enlarging.append(norm)
            known = tuple(input_shape[0])
            for layer in enlarging:
                layer.build(known)
                known = tuple(layer.compute_output_shape(known))
            projecting: list[keras.layers.Layer] = []
            known = tuple(shape)
            for kernel in (1, 3):
                name = f"project_{level}_{kernel}"
                convolution = keras.layers.Conv2D(
                    self.width,
                    kernel,
                    padding="same",
                    data_format="channels_last",
                    name=name,
                    dtype=self.dtype_policy,
                )
                projecting.append(convolution)
                norm = LayerNorm(epsilon=1e-6, name=f"{name}_norm", dtype=self.dtype_policy)
                projecting.append(norm)
            for layer in projecting:
                layer.build(known)
                known = tuple(layer.compute_output_shape(known))
            self.enlarging.append(enlarging)
            self.projecting.append(projecting)

    def call(self, maps: list[Tensor]) -> list[Tensor]:
        """Make a pyramid of one map [(B, h, w, c)]."""
        results = []
        for level in range(self.levels):
            features = maps[0]
            for index, layer in enumerate(self.enlarging[level]):
                # The activation stands between the first doubling and the second.
                features = ops.gelu(features) if index == 2 else features
                features = layer(features)
            halvings = level - self.finest
            if halvings > 0:
                side = 2**halvings
                features = ops.max_pool(features, side, side, "same", "channels_last")
            for layer in self.projecting[level]:
                features = layer(features)
            results.append(features)
        return results

    def _enlarged_shapes(self, shape: Shape) -> list[Shape]:
        sizes = []
        for level in range(self.levels):
            up, down = 2 ** max(self.finest - level, 0), 2 ** max(level - self.finest, 0)
            rows, columns = (-(-side * up // down) for side in shape[1:3])
            sizes.append((shape[0], rows, columns, shape[-1]))
        return sizes

    def strides_of(self, strides: list[int] | Sequence[int]) -> list[int]:
        """Give the steps of the results in pixels, rounded where a map is finer than pixels."""
        return [max(round(strides[0] * 2.0 ** (n - self.finest)), 1) for n in range(self.levels)]

    def compute_output_shape(self, input_shape: list[Shape]) -> list[Shape]:
        """Return the shapes of the results."""
        return [(*shape[:3], self.width) for shape in self._enlarged_shapes(input_shape[0])]

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "width": self.width,
            "finest": self.finest,
            "levels": self.levels,
        }
