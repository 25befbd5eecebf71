"""The random resized crop of training images."""

from dataclasses import dataclass

from keras_simmim.data import arguments


@dataclass(frozen=True)
class RandomCrop:
    """Cut a random part out of every image, resize it, and mirror half of the results.

    The part is drawn as torchvision's `RandomResizedCrop` draws it, anew for every image in every
    epoch, from nothing but the seed, the epoch and the image's position in it.

    Args:
        size: side or `(height, width)` of the results, in pixels.
        scale: bounds of the part's share of the image's area.
        ratio: bounds of the part's width divided by its height.
        flip: whether half of the results are mirrored left to right.

    Raises:
        ValueError: if an argument is out of bounds.
        TypeError: if an argument has another type.

    Source: Xie et al., "SimMIM", CVPR 2022, for the default scale and ratio.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    images = np.random.default_rng(0).integers(0, 256, (8, 32, 48, 3), dtype="uint8")
    crop = ks.data.RandomCrop(16, scale=(0.2, 1.0), flip=False)
    batch = next(iter(ks.data.from_arrays(images, batch_size=4, crop=crop)))
    batch.shape   # (4, 16, 16, 3)
    ```
    """

    size: int | tuple[int, int]
    scale: tuple[float, float] = (0.67, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: bool = True

    def __post_init__(self) -> None:
        arguments.as_size("size", self.size)
        arguments.as_interval("scale", self.scale, maximum=1.0)
        arguments.as_interval("ratio", self.ratio)
        arguments.as_flag("flip", self.flip)

    @property
    def shape(self) -> tuple[int, int]:
        """Return the height and width of the results, in pixels."""
        return arguments.as_size("size", self.size)
