"""The whole of every image, squeezed into the wanted proportions."""

from dataclasses import dataclass

from keras_simmim.data import arguments


@dataclass(frozen=True)
class WholeImage:
    """Resize the whole of every image, whatever its proportions are.

    Nothing at the margins is lost, as a `CenterCrop` loses it where the proportions differ: this is
    what masks and boxes are measured on.

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
    crop = ks.data.WholeImage((16, 16))
    batch = next(iter(ks.data.from_arrays(images, batch_size=4, crop=crop, training=False)))
    batch.shape   # (4, 16, 16, 3)
    ```
    """

    size: int | tuple[int, int]

    def __post_init__(self) -> None:
        arguments.as_size("size", self.size)

    @property
    def shape(self) -> tuple[int, int]:
        """Return the height and width of the results, in pixels."""
        return arguments.as_size("size", self.size)
