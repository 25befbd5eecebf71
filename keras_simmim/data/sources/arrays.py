"""Arrays of images in memory as a source."""

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.pipeline.batching import batched
from keras_simmim.data.pipeline.indexed_source import IndexedSource
from keras_simmim.data.pipeline.plan import Plan
from keras_simmim.data.pipeline.source_arguments import SourceArguments
from keras_simmim.data.reading.pixel_image import PixelImage


def from_arrays(
    images: np.ndarray,
    labels: Sequence[int] | np.ndarray | None = None,
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 64,
    *,
    value_range: tuple[float, float] | None = None,
    training: bool = True,
    seed: int = 0,
    **shared: Unpack[SourceArguments],
) -> tf.data.Dataset:
    """Batch images that are in memory.

    Args:
        images: array (count, height, width, channels), or (count, height, width) for gray images;
            uint8, or any other real type with values from 0 to 255, or of any `value_range`, which
            are rounded.
        labels: one integer an image, or None.
        image_size: side or `(height, width)` of the results, in pixels; None keeps the images' own,
            or takes that of `crop`.
        batch_size: images in a batch.
        value_range: values `(low, high)` that become 0 and 255, such as `(0, 4095)` or `(-1, 1)`,
            with those beyond clipped; None: 0 and 255, and an error if there are others.
        training: True for a new order, random crops and flips in every epoch; False for the given
            order and the largest central crop.
        seed: seed of order, crops and flips.
        **shared: what all sources take, see `ks.data.SourceArguments`: `crop`, or its parts
            `crop_scale`, `crop_ratio` and `flip`; `crops`, to have several of each image; `epoch`
            and `first_batch`, to go on with a run; `drop_remainder`.

    Returns:
        A `tf.data.Dataset` of uint8 batches (batch, height, width, channels), with an axis of
        `crops` behind the first if there are several, or of pairs of these and int32 labels
        (batch,). Its `class_names` is None, its `image_count` the number of images.

    Raises:
        ValueError: if the shape or the range of an array is another, an argument out of bounds, or
            arguments contradict each other.
        TypeError: if an argument has another type.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    images = np.random.default_rng(0).integers(0, 256, (10, 32, 48, 3), dtype="uint8")
    dataset = ks.data.from_arrays(images, image_size=16, batch_size=5)
    [tuple(batch.shape) for batch in dataset]   # [(5, 16, 16, 3), (5, 16, 16, 3)]
    ```
    """
    if value_range is not None:
        value_range = arguments.as_value_range(value_range)
    pixels = _as_pixels(images, value_range)
    classes = None if labels is None else arguments.as_labels(labels, len(pixels))
    if image_size is None and shared.get("crop") is None:
        image_size = pixels.shape[1:3]
    plan = Plan.from_arguments(image_size, batch_size, training=training, seed=seed, **shared)
    return batched(_Arrays(pixels, classes), plan)


class _Arrays(IndexedSource):
    """Give images (N, H, W, C) that are in memory, and their labels (N,) if there are any."""

    def __init__(self, pixels: np.ndarray, classes: np.ndarray | None) -> None:
        super().__init__(len(pixels), is_labeled=classes is not None)
        with tf.device("CPU:0"):
            self.pixels = tf.constant(pixels)
        self.classes = classes

    def open_image(self, record: tf.Tensor) -> PixelImage:
        """Return the image of an index."""
        return PixelImage(self.pixels[record])

    def label(self, record: tf.Tensor) -> tf.Tensor:
        """Return the label of an index."""
        return tf.gather(self.classes, record)


def _as_pixels(images: Any, value_range: tuple[float, float] | None) -> np.ndarray:
    """Return images as uint8 (count, height, width, channels)."""
    pixels = np.asarray(images)
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    if pixels.ndim != 4 or 0 in pixels.shape:
        raise ValueError(
            "images must be (count, height, width, channels) or (count, height, width), "
            f"got the shape {np.shape(images)}."
        )
    if pixels.dtype == np.uint8 and value_range is None:
        return pixels
    is_real = np.issubdtype(pixels.dtype, np.integer) or np.issubdtype(pixels.dtype, np.floating)
    if not is_real:
        raise TypeError(f"images must be real numbers, got {pixels.dtype}.")
    low, high = pixels.min(), pixels.max()
    if value_range is None:
        others = "pass value_range=(low, high) for others"
        if not (low >= 0 and high <= 255):
            raise ValueError(
                f"images must be within 0-255, got values from {low} to {high}; {others}."
            )
        if np.issubdtype(pixels.dtype, np.floating) and 0 < high <= 1:
            raise ValueError(
                f"images must be within 0-255, got {pixels.dtype} values up to {high}; {others}."
            )
        return np.rint(pixels).astype(np.uint8)
    if np.isnan(low):
        raise ValueError("images must be numbers, got NaN among them.")
    start, width = value_range[0], value_range[1] - value_range[0]
    scaled = np.empty(pixels.shape, np.uint8)
    # One at a time: floats of all would take eight times the memory.
    for image, result in zip(pixels, scaled, strict=True):
        result[:] = np.clip((image.astype(np.float64) - start) / width, 0, 1) * 255 + 0.5
    return scaled
