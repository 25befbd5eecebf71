"""Distances to the sides of a box and scores of classes, at every position of every level."""

import math
from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.heads.detection_head import DetectionHead

# What sigmoids give at first: nearly all positions find nothing.
_PRIOR = 0.01
# Distances at first, and at most, in strides.
_FIRST, _MOST = 2.0, 128.0


@keras.saving.register_keras_serializable("keras_simmim")
class YOLOHead(DetectionHead):
    """Predict one box for each position, by its distances to the four sides, and its classes.

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

    first_box = math.log(_FIRST)
    first_score = math.log(_PRIOR / (1.0 - _PRIOR))

    def __init__(self, num_classes: int, width: int = 64, **kwargs: Any) -> None:
        super().__init__(num_classes, width, **kwargs)

    def call(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Predict at the N positions of all levels, level by level and row by row.

        Args:
            maps: [(B, h, w, c), …].

        Returns:
            float32 (B, N, 4), the distances from a position to the left, top, right and bottom of
            its box, in strides of its level; and float32 (B, N, K), logits of the classes.
        """
        raw, logits = super().call(maps)
        return ops.exp(ops.minimum(raw, math.log(_MOST))), logits
