"""Arrays of images in memory as a source."""

from collections.abc import Mapping, Sequence
from typing import Unpack

import numpy as np
import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.pipeline.batching import batched
from keras_simmim.data.pipeline.indexed_source import IndexedSource
from keras_simmim.data.pipeline.plan import Plan
from keras_simmim.data.pipeline.source_arguments import SourceArguments
from keras_simmim.data.reading.pixel_image import PixelImage
from keras_simmim.data.sources.array_checks import as_boxes, as_masks, as_pixels
from keras_simmim.data.targets.array_masks import ArrayMasks
from keras_simmim.data.targets.class_labels import ClassLabels
from keras_simmim.data.targets.targets import Targets


def from_arrays(
    images: np.ndarray,
    labels: Sequence[int] | np.ndarray | None = None,
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 64,
    *,
    masks: np.ndarray | None = None,
    boxes: Mapping[str, np.ndarray] | None = None,
    value_range: tuple[float, float] | None = None,
    training: bool = True,
    seed: int = 0,
    **shared: Unpack[SourceArguments],
) -> tf.data.Dataset:
    """Batch images that are in memory.

    Args:
        images: array (count, height, width, channels), or (count, height, width) for gray images;
            uint8, or any other real type with values from 0 to 255, which are rounded, or of any
            `value_range`, which are not.
        labels: one integer an image, or None. At most one of labels, masks and boxes is given.
        image_size: side or `(height, width)` of the results, in pixels; None keeps the images' own,
            or takes that of `crop`.
        batch_size: images in a batch, over all shards.
        masks: one class a pixel, integers 0 to 255 (count, height, width), or None. 255 is left out
            of losses and metrics.
        boxes: a dictionary of "boxes" (count, M, 4), (left, top, right, bottom) in pixels of the
            image, and of their "labels", integers (count, M), or None. −1 pads; −2 is a box that is
            neither learned nor measured. What reaches beyond the image is cut off.
        value_range: values `(low, high)` that become 0 and 255, such as `(0, 4095)` or `(-1, 1)`,
            with those beyond clipped; batches are then float32, and `fit` hands the range to the
            model. None: 0 and 255, and an error if there are others.
        training: True for a new order, random crops and flips in every epoch; False for the given
            order and the largest central crop, or with masks or boxes the whole image.
        seed: seed of order, crops and flips.
        **shared: what all sources take, see `ks.data.SourceArguments`: `crop`, or its parts
            `crop_scale`, `crop_ratio` and `flip`; `crops`, to have several of each image; `epoch`
            and `first_batch`, to go on with a run; `drop_remainder`; `shard` and `shards`, where
            several processes share the work.

    Returns:
        A `tf.data.Dataset` of uint8 or float32 batches (batch, height, width, channels), with an
        axis of `crops` behind the first if there are several, or of pairs of these and int32 labels
        (batch,), or uint8 masks (batch, height, width), or a dictionary of float32 "boxes" (batch,
        M, 4) in pixels of the results, and their int32 "labels" (batch, M). A box of which a crop
        shows less than a quarter has the label −1. Its `class_names` is None, its `image_count` the
        number of images, its `value_range` what was given.

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
    pixels = as_pixels(images, value_range)
    given = {"labels": labels, "masks": masks, "boxes": boxes}
    if sum(value is not None for value in given.values()) > 1:
        names = ", ".join(name for name, value in given.items() if value is not None)
        raise ValueError(f"at most one of labels, masks and boxes can be given, got {names}.")
    targets = Targets()
    if labels is not None:
        classes = arguments.as_labels(labels, len(pixels))
        targets = ClassLabels(lambda index: tf.gather(classes, index))
    if masks is not None:
        targets = ArrayMasks(as_masks(masks, pixels.shape[:3]))
    if boxes is not None:
        targets = as_boxes(boxes, len(pixels))
    if image_size is None and shared.get("crop") is None:
        image_size = pixels.shape[1:3]
    plan = Plan.from_arguments(
        image_size, batch_size, training=training, seed=seed, dense=targets.follow_crop, **shared
    )
    dataset = batched(_Arrays(pixels, targets), plan)
    dataset.value_range = value_range
    return dataset


class _Arrays(IndexedSource):
    """Give images (N, H, W, C) that are in memory, and what belongs to them."""

    def __init__(self, pixels: np.ndarray, targets: Targets) -> None:
        super().__init__(len(pixels), targets)
        with tf.device("CPU:0"):
            self.pixels = tf.constant(pixels)

    def open_image(self, record: tf.Tensor) -> PixelImage:
        """Return the image of an index."""
        return PixelImage(self.pixels[record])
