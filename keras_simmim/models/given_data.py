"""A look at the data that `fit` is given, before the first step."""

import warnings
from typing import Any

import numpy as np


def as_array(data: Any) -> Any:
    """Return a list as an array; Keras would take it for several inputs."""
    return np.asarray(data) if isinstance(data, list) else data


def warn_of_small_pixels(images: Any) -> None:
    """Warn of images whose floats lie within 0–1, which are nearly black as pixels of 0–255.

    Args:
        images: an array, or a `tf.data.Dataset` whose first batch is looked at.
    """
    specification = getattr(images, "element_spec", None)
    if specification is not None:
        while isinstance(specification, tuple):
            specification = specification[0]
        if not getattr(getattr(specification, "dtype", None), "is_floating", False):
            return
        for batch in images.take(1).as_numpy_iterator():
            images = batch
            while isinstance(images, tuple):
                images = images[0]
    if not isinstance(images, np.ndarray) or not np.issubdtype(images.dtype, np.floating):
        return
    if images.size and images.min() >= 0 and 0 < images.max() <= 1:
        warnings.warn(
            f"images hold {images.dtype} numbers from {images.min():g} to {images.max():g}, but "
            "pixels are 0-255, which the model normalizes: multiply them by 255.",
            stacklevel=2,
        )
