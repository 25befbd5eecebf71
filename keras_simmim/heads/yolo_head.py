"""Distances to the sides of a box and scores of classes, at every position of every level."""

import math
from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.convolution_block import ConvolutionBlock

# What sigmoids give at first: nearly all positions find nothing.
_PRIOR = 0.01
# Distances at first, and at most, in strides.
_FIRST, _MOST = 2.0, 128.0


@keras.saving.register_keras_serializable("keras_simmim")
class YOLOHead(keras.layers.Layer):
    """Predict boxes by one branch of two convolutions, and classes by another, on each level.

    Args:
        num_classes: number of classes.
        width: channels of the branches.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for numbers out of range.

    Source: Ge et al., "YOLOX: Exceeding YOLO Series in 2021" (arXiv 2107.08430), for the decoupled
    head without anchors; Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, for the
    first bias of the scores.

    Example:
    ```python
    import keras
    from keras_simmim.heads import YOLOHead

    maps = [keras.random.normal((2, 4, 6, 8)), keras.random.normal((2, 2, 3, 8))]
    [each.shape for each in YOLOHead(num_classes=5, width=16)(maps)]   # [(2, 30, 4), (2, 30, 5)]
    ```
    """

    def __init__(self, num_classes: int, width: int = 64, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, value in (("num_classes", num_classes), ("width", width)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be an integer of at least 1, got {value!r}.")
        self.num_classes = num_classes
        self.width = width

    def build(self, input_shape: list[Shape]) -> None:
        """Create the weights for maps [(B, h, w, c), …]."""
        self.branches: list[list[list[Any]]] = []
        outputs = (
            ("box", 4, math.log(_FIRST)),
            ("class", self.num_classes, math.log(_PRIOR / (1.0 - _PRIOR))),
        )
        for level, shape in enumerate(input_shape):
            branches = []
            for name, filters, bias in outputs:
                block = ConvolutionBlock(
                    self.width, name=f"{name}_block_{level}", dtype=self.dtype_policy
                )
                last = keras.layers.Conv2D(
                    filters,
                    1,
                    data_format="channels_last",
                    kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
                    bias_initializer=keras.initializers.Constant(bias),
                    name=f"{name}_{level}",
                    dtype=self.dtype_policy,
                )
                block.build(shape)
                last.build((*shape[:3], self.width))
                branches.append([block, last])
            self.branches.append(branches)

    def call(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Predict at the N positions of all levels, level by level and row by row.

        Args:
            maps: [(B, h, w, c), …].

        Returns:
            float32 (B, N, 4), the distances from a position to the left, top, right and bottom of
            its box, in strides of its level; and float32 (B, N, K), logits of the classes.
        """
        predicted = []
        for branch, size in enumerate((4, self.num_classes)):
            parts = [
                ops.reshape(branches[branch][1](branches[branch][0](each)), (-1, _area(each), size))
                for each, branches in zip(maps, self.branches, strict=True)
            ]
            predicted.append(ops.cast(ops.concatenate(parts, axis=1), "float32"))
        raw, logits = predicted
        return ops.exp(ops.minimum(raw, math.log(_MOST))), logits

    def compute_output_shape(self, input_shape: list[Shape]) -> tuple[Shape, Shape]:
        """Return (B, N, 4) and (B, N, K)."""
        batch = input_shape[0][0]
        count = sum(shape[1] * shape[2] for shape in input_shape)
        return (batch, count, 4), (batch, count, self.num_classes)

    def compute_output_spec(self, maps: list[Tensor], **_: Any) -> tuple[Any, Any]:
        """Return the symbols of the results, which are float32 under any policy."""
        boxes, classes = self.compute_output_shape([each.shape for each in maps])
        return keras.KerasTensor(boxes, "float32"), keras.KerasTensor(classes, "float32")

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "num_classes": self.num_classes, "width": self.width}


def _area(features: Tensor) -> int:
    """Count the positions of maps (B, h, w, c)."""
    return features.shape[1] * features.shape[2]
