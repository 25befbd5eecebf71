"""Offsets from anchors and scores of classes and background, at every position of every level."""

from typing import Any

import keras

from keras_simmim.backend.types import Config
from keras_simmim.heads.detection_head import DetectionHead


@keras.saving.register_keras_serializable("keras_simmim")
class SSDHead(DetectionHead):
    """Predict offsets from each anchor of a position, and logits: of no object, then of classes.

    Args:
        num_classes: number of classes, without the background.
        anchors: number of anchors at each position.
        width: channels of the branches.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for numbers out of range.

    Source: Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016, section 2.1, with a
    convolution, norm and activation more in each branch.

    Example:
    ```python
    import keras
    from keras_simmim.heads import SSDHead

    maps = [keras.random.normal((2, 4, 6, 8)), keras.random.normal((2, 2, 3, 8))]
    head = SSDHead(num_classes=5, anchors=2, width=16)
    [each.shape for each in head(maps)]   # [(2, 60, 4), (2, 60, 6)]
    ```
    """

    depth = 1

    def __init__(self, num_classes: int, anchors: int = 6, width: int = 64, **kwargs: Any) -> None:
        super().__init__(num_classes, width, **kwargs)
        if not isinstance(anchors, int) or anchors < 1:
            raise ValueError(f"anchors must be an integer of at least 1, got {anchors!r}.")
        self.anchors = anchors

    @property
    def boxes_of_position(self) -> int:
        """Count the anchors of a position."""
        return self.anchors

    @property
    def num_scores(self) -> int:
        """Count the classes and the background."""
        return self.num_classes + 1

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "anchors": self.anchors}
