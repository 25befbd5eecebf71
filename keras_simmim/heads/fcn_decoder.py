"""Scores at every scale, added from the coarsest to the finest."""

from typing import Any

import keras

from keras_simmim.backend.types import Shape, Tensor
from keras_simmim.heads.decoder import Decoder, resized


@keras.saving.register_keras_serializable("keras_simmim")
class FCNDecoder(Decoder):
    """Score the classes at each scale by a 1×1 convolution, and add the scores while enlarging.

    Args:
        num_classes: number of classes, at least 2.
        width: channels of a 3×3 convolution before the scores of each scale.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for numbers out of range.

    Source: Long et al., "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015.

    Example:
    ```python
    import keras
    from keras_simmim.heads import FCNDecoder

    images = keras.random.normal((2, 16, 24, 3))
    maps = [keras.random.normal((2, 4, 6, 8)), keras.random.normal((2, 2, 3, 16))]
    FCNDecoder(num_classes=5, width=8)([images, *maps]).shape   # (2, 16, 24, 5)
    ```
    """

    def __init__(self, num_classes: int, width: int = 64, **kwargs: Any) -> None:
        super().__init__(num_classes, width, **kwargs)

    def build(self, input_shape: list[Shape]) -> None:
        """Create the weights for images (B, H, W, C) and maps [(B, h, w, c), …]."""
        self.hidden, self.scoring = [], []
        for level, shape in enumerate(input_shape[1:]):
            self.hidden.append(self.convolution(f"hidden_{level}", self.width, 3, shape))
            inner = (*shape[:3], self.width)
            self.scoring.append(self.convolution(f"scores_{level}", self.num_classes, 1, inner))

    def call(self, inputs: list[Tensor]) -> Tensor:
        """Score the pixels, float32 (B, H, W, K), of [images, finest map, …, coarsest map]."""
        images, *maps = inputs
        total: Any = None
        for features, hidden, scoring in reversed(
            list(zip(maps, self.hidden, self.scoring, strict=True))
        ):
            scores = scoring(keras.ops.gelu(hidden(features)))
            size = tuple(features.shape[1:3])
            total = scores if total is None else resized(total, size) + resized(scores, size)
        return resized(total, tuple(images.shape[1:3]))
