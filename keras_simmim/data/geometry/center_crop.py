"""The central crop of images that nothing random may happen to."""

from dataclasses import dataclass

from keras_simmim.data import arguments


@dataclass(frozen=True)
class CenterCrop:
    """Cut the largest central part of the wanted proportions out of every image and resize it.

    This is to resize the shorter side and to crop the center.

    Args:
        size: side or `(height, width)` of the results, in pixels.

    Raises:
        ValueError: if a side is below 1.
        TypeError: if `size` is neither an integer nor a pair of integers.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    images = np.random.default_rng(0).integers(0, 256, (8, 32, 48, 3), dtype="uint8")
    crop = ks.data.CenterCrop((16, 24))
    batch = next(iter(ks.data.from_arrays(images, batch_size=4, crop=crop)))
    batch.shape   # (4, 16, 24, 3)
    ```
    """

    size: int | tuple[int, int]

    def __post_init__(self) -> None:
        arguments.as_size("size", self.size)

    @property
    def shape(self) -> tuple[int, int]:
        """Return the height and width of the results, in pixels."""
        return arguments.as_size("size", self.size)
