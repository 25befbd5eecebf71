"""Arrays of images in memory as a source."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_simmim.data.geometry.boxes import cut
from keras_simmim.data.geometry.views import Views
from keras_simmim.data.pipeline.batching import batched
from keras_simmim.data.pipeline.epochs import Epochs
from keras_simmim.data.pipeline.host import leave_gpu_to_backend


def from_arrays(
    images: np.ndarray,
    labels: Sequence[int] | np.ndarray | None = None,
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 64,
    *,
    training: bool = True,
    seed: int = 0,
    epoch: int = 0,
    first_batch: int = 0,
    crop_scale: tuple[float, float] = (0.67, 1.0),
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3),
    flip: bool = True,
    drop_remainder: bool | None = None,
) -> tf.data.Dataset:
    """Batches images that are in memory.

    Args:
        images: array (count, height, width, channels), or (count, height, width) for grey images;
            uint8, or any other real type with values from 0 to 255, which are rounded.
        labels: one integer an image, or None.
        image_size: side or `(height, width)` of the views, in pixels; None keeps the images' own.
        batch_size: images in a batch.
        training: True for a new order, random resized crops and flips in every epoch; False for
            the given order and the largest central crop.
        seed: seed of order, crops and flips.
        epoch: number of the first iteration over the data set; each further one is the next epoch.
            It counts as one when it gets to its third batch.
        first_batch: with which batch of its epoch the first iteration begins, 0 or more, to go on
            where an interrupted run stopped. `cardinality()` stays that of a whole epoch.
        crop_scale: bounds of a training crop's share of the image's area.
        crop_ratio: bounds of a training crop's width divided by its height.
        flip: whether half of the training views are mirrored left to right.
        drop_remainder: whether an incomplete last batch is left out; None: in training, unless it
            is the only batch.

    Returns:
        A `tf.data.Dataset` of uint8 batches (batch, height, width, channels), or of pairs of these
        and int32 labels (batch,). Its `class_names` is None, its `image_count` the number of
        images.

    Raises:
        ValueError: if the shape or the range of an array is another, or an argument out of bounds.
        TypeError: if an argument has another type.

    Example:
        >>> import numpy as np
        >>> from keras_simmim import data
        >>> images = np.random.default_rng(0).integers(0, 256, (10, 32, 48, 3), dtype=np.uint8)
        >>> dataset = data.from_arrays(images, image_size=16, batch_size=5)
        >>> [batch.shape.as_list() for batch in dataset]
        [[5, 16, 16, 3], [5, 16, 16, 3]]
    """
    leave_gpu_to_backend()
    pixels = _as_pixels(images)
    count, height, width, _ = pixels.shape
    classes = None if labels is None else as_labels(labels, count)
    size = (height, width) if image_size is None else image_size
    views = Views(size, training, crop_scale, crop_ratio, flip)
    epochs = Epochs(training, seed, epoch, first_batch)
    with tf.device("CPU:0"):
        pixels = tf.constant(pixels)

    def records_of(epoch_seed: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(epochs.order(count, epoch_seed))

    @tf.autograph.experimental.do_not_convert
    def load(index: tf.Tensor, image_seed: tf.Tensor) -> Any:
        image = pixels[index]
        view = views.view(lambda box_of: cut(image, box_of(tf.shape(image))), image_seed)
        view = tf.ensure_shape(view, (*views.size, image.shape[-1]))
        return view if classes is None else (view, tf.gather(classes, index))

    dataset = batched(
        records_of,
        lambda records: records.map(load, tf.data.AUTOTUNE),
        epochs,
        batch_size=batch_size,
        drop_remainder=drop_remainder,
        image_count=count,
    )
    dataset.class_names = None
    dataset.image_count = count
    return dataset


def as_labels(labels: Sequence[int] | np.ndarray, count: int) -> np.ndarray:
    """Returns `count` labels as int32 (count,)."""
    classes = np.asarray(labels)
    if classes.shape != (count,):
        raise ValueError(f"labels must be {count} integers, got the shape {classes.shape}.")
    if not np.issubdtype(classes.dtype, np.integer):
        raise TypeError(f"labels must be integers, got {classes.dtype}.")
    return classes.astype(np.int32)


def _as_pixels(images: Any) -> np.ndarray:
    pixels = np.asarray(images)
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    if pixels.ndim != 4 or 0 in pixels.shape:
        raise ValueError(
            "images must be (count, height, width, channels) or (count, height, width), "
            f"got the shape {np.shape(images)}."
        )
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == bool or not np.issubdtype(pixels.dtype, np.number):
        raise TypeError(f"images must be numbers, got {pixels.dtype}.")
    low, high = pixels.min(), pixels.max()
    if not (low >= 0 and high <= 255):
        raise ValueError(f"images must be within 0-255, got values from {low} to {high}.")
    if np.issubdtype(pixels.dtype, np.floating) and 0 < high <= 1:
        raise ValueError(f"images must be within 0-255, got {pixels.dtype} values up to {high}.")
    return np.rint(pixels).astype(np.uint8)
