"""The regions of an image that a second look is worth."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Tensor
from keras_simmim.boxes.clip import clip
from keras_simmim.boxes.non_maximum_suppression import non_maximum_suppression
from keras_simmim.boxes.offsets import UNSCALED, decode_offsets
from keras_simmim.layers.take_rows import take_rows

# Sides of a region, in pixels, that there is something to see in.
_SHORTEST = 1.0


@keras.saving.register_keras_serializable("keras_simmim")
class Proposals(keras.layers.Layer):
    """Choose the boxes of the highest objectness that do not overlap each other much.

    Args:
        image_size: height and width of the images, in pixels.
        count: boxes P of an image.
        candidates: best boxes of an image that are looked at, of all levels together.
        threshold: IoU above which the worse box goes, 0–1.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for numbers out of range.

    Source: Ren et al., "Faster R-CNN", NeurIPS 2015, section 3.3.

    Example:
    ```python
    from keras import ops
    from keras_simmim.heads import Proposals

    anchors = ops.array([[0.0, 0.0, 8.0, 8.0], [0.0, 0.0, 8.0, 7.0], [9.0, 0.0, 16.0, 8.0]])
    layer = Proposals((16, 16), count=3)
    boxes, valid = layer(ops.array([[0.5, 2.0, -1.0]]), ops.zeros((1, 3, 4)), anchors)
    boxes   # [[[0, 0, 8, 7], [9, 0, 16, 8], [0, 0, 0, 0]]]
    ```
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        count: int = 100,
        candidates: int = 400,
        threshold: float = 0.7,
        **kwargs: Any,
    ) -> None:
        # Boxes stay float32 under any precision policy.
        super().__init__(autocast=False, **kwargs)
        for name, value in (("count", count), ("candidates", candidates)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive integer, got {value!r}.")
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be from 0 to 1, got {threshold!r}.")
        height, width = image_size
        self.image_size = (height, width)
        self.count = count
        self.candidates = candidates
        self.threshold = float(threshold)
        self.built = True

    def call(
        self, objectness: Tensor, offsets: Tensor, anchors: Tensor, suppress: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Choose regions. No gradient passes.

        Args:
            objectness: float32 (B, N), before the sigmoid.
            offsets: float32 (B, N, 4), from the anchors, not divided by variances.
            anchors: float32 (N, 4), in pixels.
            suppress: whether boxes that overlap a better one go; else the best `candidates` are
                what is returned, and P is their number.

        Returns:
            float32 (B, P, 4), in pixels and within the image, by falling objectness; and bool
            (B, P), whether it is one: zeros pad where there are not enough.
        """
        boxes = clip(decode_offsets(offsets, anchors, UNSCALED), self.image_size)
        seen = ops.all(boxes[..., 2:] - boxes[..., :2] >= _SHORTEST, axis=-1)
        scores = ops.where(seen, ops.sigmoid(objectness), 0.0)
        if not suppress:
            scores, rows = ops.top_k(scores, self._size(scores, suppress))
            return take_rows(boxes, ops.cast(rows, "int32")), scores > 0.0
        found = non_maximum_suppression(
            boxes,
            ops.expand_dims(scores, -1),
            self.threshold,
            minimum_score=0.0,
            count=self.count,
            candidates=self.candidates,
        )
        return found["boxes"], found["labels"] >= 0

    def _size(self, objectness: Any, suppress: bool) -> int:
        """Count the boxes that are returned of an image."""
        return self.count if suppress else min(self.candidates, objectness.shape[1])

    def compute_output_spec(
        self, objectness: Any, offsets: Any, anchors: Any, suppress: bool = True
    ) -> tuple[Any, Any]:
        """Return the symbols of the regions and of whether they are any."""
        shape = (objectness.shape[0], self._size(objectness, suppress))
        return (
            keras.KerasTensor((*shape, 4), dtype="float32"),
            keras.KerasTensor(shape, dtype="bool"),
        )

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "count": self.count,
            "candidates": self.candidates,
            "threshold": self.threshold,
        }
