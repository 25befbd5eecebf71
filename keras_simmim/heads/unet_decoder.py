"""Up, join, two convolutions: from the coarsest map back to the pixels."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.heads.decoder import Decoder, resized
from keras_simmim.layers.convolution_block import ConvolutionBlock
from keras_simmim.layers.doubling import Doubling


@keras.saving.register_keras_serializable("keras_simmim")
class UNetDecoder(Decoder):
    """Enlarge the coarsest map step by step, and join it with the map of each finer scale.

    Every step is a transposed convolution, the join, and two 3×3 convolutions, each with a group
    norm and GELU. Behind the finest map come steps without one, and at last the pixels themselves.

    Args:
        num_classes: number of classes, at least 2.
        width: channels at the pixels' size, doubled with every halving of the size up to
            `most_width`.
        most_width: largest number of channels.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for numbers out of range.

    Source: Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation",
    MICCAI 2015, with the backbone for the way down.

    Example:
    ```python
    import keras
    from keras_simmim.heads import UNetDecoder

    images = keras.random.normal((2, 16, 24, 3))
    maps = [keras.random.normal((2, 4, 6, 8)), keras.random.normal((2, 2, 3, 16))]
    UNetDecoder(num_classes=5, width=4)([images, *maps]).shape   # (2, 16, 24, 5)
    ```
    """

    def __init__(
        self, num_classes: int, width: int = 16, most_width: int = 256, **kwargs: Any
    ) -> None:
        super().__init__(num_classes, width, **kwargs)
        if not isinstance(most_width, int) or most_width < width:
            raise ValueError(f"most_width must be at least width={width}, got {most_width!r}.")
        self.most_width = most_width

    def build(self, input_shape: list[Shape]) -> None:
        """Create the weights for images (B, H, W, C) and maps [(B, h, w, c), …]."""
        image, *maps = (tuple(shape) for shape in input_shape)
        self.up, self.blocks = [], []
        # What is joined at each step: the number of a map, -1 for the pixels, or None.
        self.joined: list[int | None] = []
        self.sizes: list[tuple[int, int]] = []
        shape = maps[-1]
        targets = [
            *((number, maps[number]) for number in range(len(maps) - 2, -1, -1)),
            (-1, image),
        ]
        for number, target in targets:
            for size in doublings(shape[1:3], target[1:3]):
                step, arrives = len(self.sizes), size == target[1:3]
                filters = min(self.width * max(round(image[1] / size[0]), 1), self.most_width)
                up = Doubling(filters, name=f"up_{step}", dtype=self.dtype_policy)
                up.build(shape)
                self.up.append(up)
                self.joined.append(number if arrives else None)
                self.sizes.append(size)
                width = filters + (target[-1] if arrives else 0)
                block = ConvolutionBlock(filters, name=f"step_{step}", dtype=self.dtype_policy)
                block.build((None, *size, width))
                self.blocks.append(block)
                shape = (None, *size, filters)
        self.scoring = self.convolution("scores", self.num_classes, 1, shape)

    def call(self, inputs: list[Tensor]) -> Tensor:
        """Score the pixels, float32 (B, H, W, K), of [images, finest map, …, coarsest map]."""
        images, *maps = inputs
        features = maps[-1]
        for up, join, size, block in zip(
            self.up, self.joined, self.sizes, self.blocks, strict=True
        ):
            features = up(features)
            if features.shape[1] < size[0] or features.shape[2] < size[1]:
                features = ops.cast(resized(features, size), features.dtype)
            features = features[:, : size[0], : size[1]]
            if join is not None:
                other = images if join < 0 else maps[join]
                other = ops.cast(other, features.dtype)
                features = ops.concatenate([features, other], axis=-1)
            features = block(features)
        return ops.cast(self.scoring(features), "float32")

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "most_width": self.most_width}


def doublings(coarse: Shape, fine: Shape) -> list[tuple[int, int]]:
    """List the sizes of a map that is doubled until it has a finer one's size, which is the last.

    Args:
        coarse: (rows, columns) at first.
        fine: (rows, columns) in the end; where no number of doublings leads there exactly, the
            last step is another factor.
    """
    factor = next(
        (n for n in (2**k for k in range(1, 12)) if _shrunk(fine, n) == tuple(coarse)),
        max(round(fine[0] / coarse[0]), 1),
    )
    sizes = []
    while factor > 1:
        factor = factor // 2 if factor % 2 == 0 else 1
        sizes.append(_shrunk(fine, factor))
    return sizes


def _shrunk(size: Shape, factor: int) -> tuple[int, int]:
    rows, columns = size
    return -(-rows // factor), -(-columns // factor)
