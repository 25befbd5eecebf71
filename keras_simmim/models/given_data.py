"""A look at the data that `fit` is given, before the first step."""

import contextlib
import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_simmim.backend.types import Config
from keras_simmim.data.pipeline.origin import origin


@contextlib.contextmanager
def until_it_ends(steps: int | None = None) -> Iterator[None]:
    """Let data of unknown length, such as a folder's, end without Keras' warning of that.

    Args:
        steps: batches that were asked for, of which a lack is worth a warning; None for all.
    """
    with warnings.catch_warnings():
        if steps is None:
            warnings.filterwarnings("ignore", "Your input ran out of data")
        yield


def as_array(data: Any) -> Any:
    """Return a list as an array; Keras would take it for several inputs.

    Raises:
        TypeError: for a path.
    """
    if isinstance(data, str | os.PathLike):
        raise TypeError(
            f"images must be an array or a data set, got the path {os.fspath(data)!r}: "
            "ks.data.image_folder(path, image_size, training=False) opens it."
        )
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


def steps_and_batch(arguments: Config) -> tuple[int, int]:
    """Count the batches of an epoch and the images of a batch.

    Args:
        arguments: of `fit`, by name.

    Raises:
        ValueError: for data of unknown length without `steps_per_epoch`.
    """
    x, steps = arguments["x"], arguments.get("steps_per_epoch")
    size = arguments["batch_size"] or 32
    if hasattr(x, "element_spec"):
        count = int(x.cardinality()) if steps is None else steps
        size = x.element_spec[0].shape[0]
        if size is None:
            size = next(len(batch[0]) for batch in x.take(1).as_numpy_iterator())
        # A shard of `ks.data` gives a part of each batch.
        size *= origin(x, "shards") or 1
    elif hasattr(x, "num_batches"):
        count, size = steps or x.num_batches or -1, len(x[0][0])
    elif hasattr(x, "shape"):
        images = len(x) - int(len(x) * (arguments["validation_split"] or 0))
        count = steps or -(-images // size)
    else:
        # A loader of torch is as long as it has batches; a generator has no length.
        size = getattr(x, "batch_size", None) or size
        count = steps or (len(x) if hasattr(x, "__len__") else -1)
    if count < 1:
        raise ValueError(
            "recipe='auto' needs to know how many steps there are: x has an unknown length; "
            "give steps_per_epoch."
        )
    return count, size
