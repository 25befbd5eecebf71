"""What a function yields as a source."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Unpack

import numpy as np
import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.pipeline.batching import batched
from keras_simmim.data.pipeline.epoch_part import EpochPart
from keras_simmim.data.pipeline.epochs import Epochs
from keras_simmim.data.pipeline.plan import Plan
from keras_simmim.data.pipeline.source import Load
from keras_simmim.data.pipeline.source_arguments import SourceArguments
from keras_simmim.data.pipeline.stream_source import StreamSource
from keras_simmim.data.reading.broken_files import BrokenFiles
from keras_simmim.data.reading.encoded_image import MAX_PIXELS
from keras_simmim.data.reading.pixel_image import PixelImage
from keras_simmim.data.reading.readable_image import ReadableImage
from keras_simmim.data.sources.substitution import with_substitutes
from keras_simmim.data.tables.generator_table import GeneratorTable
from keras_simmim.data.targets.class_labels import ClassLabels
from keras_simmim.data.targets.targets import Targets


def from_generator(
    function: Callable[[], Iterable[Any]],
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 64,
    *,
    count: int | None = None,
    class_names: Sequence[str] | None = None,
    training: bool = True,
    seed: int = 0,
    limit: int | None = None,
    channels: int = 3,
    shuffle_buffer: int = 10_000,
    on_error: str = "raise",
    max_pixels: int = MAX_PIXELS,
    **shared: Unpack[SourceArguments],
) -> tf.data.Dataset:
    """Batch the images that a function yields, one after another.

    For what no other source reads: a data base, a camera, a stream of Hugging Face's. Each epoch
    calls the function and takes its iterator to the end, in training in an order of its own as far
    as `shuffle_buffer` reaches. A run that goes on within an epoch takes what it leaves out from
    the iterator, too, but does not decode it; so does each of several shards.

    Args:
        function: without arguments, returns a fresh iterator that yields the same images each time:
            the bytes of files, or uint8 arrays (height, width, channels) or (height, width) of any
            sizes and of as many channels; or pairs of one of these and an integer, its label, −1
            or None for none.
        image_size: side or `(height, width)` of the results, in pixels; None takes that of `crop`.
        batch_size: images in a batch, over all shards.
        count: images of an epoch, of which no more are taken; None if it is not known. To go on
            within an epoch, to leave broken images out, and for shards without
            `drop_remainder=True` it has to be.
        class_names: names of the labels, or None.
        training: True for a new order, random crops and flips in every epoch; False for the order
            of the function and the largest central crop.
        seed: seed of order, crops and flips.
        limit: most images to use, the first ones.
        channels: 3 for color or 1 for gray, of encoded images; arrays have their own.
        shuffle_buffer: images among which the next one of a training epoch is drawn.
        on_error: `"raise"` ends the iteration with a `tf.errors.OpError` at an encoded image that
            cannot be read; `"skip"` logs it and leaves it out: in training another image takes its
            place. For both the function is called anew up to that image.
        max_pixels: most pixels that the header of an encoded image may state.
        **shared: what all sources take, see `ks.data.SourceArguments`: `crop`, or its parts
            `crop_scale`, `crop_ratio` and `flip`; `crops`, to have several of each image; `epoch`
            and `first_batch`, to go on with a run; `drop_remainder`; `shard` and `shards`, where
            several processes share the work.

    Returns:
        A `tf.data.Dataset` of uint8 batches (batch, height, width, channels), with an axis of
        `crops` behind the first if there are several, or of pairs of these and int32 labels
        (batch,). It has the attributes `class_names`, `image_count`, None if it is not known, and
        `broken_files`, a dictionary from `"image 17"` to the reason why it cannot be read. What the
        function raises, or yields of other kinds than at first, ends an iteration with a
        `tf.errors.OpError`.

    Raises:
        ValueError: if the function yields nothing, or one iterator twice, an argument is out of
            bounds, or arguments contradict each other.
        TypeError: if the first image is none, or an argument has another type.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    def stripes():
        for number in range(10):
            yield np.full((20 + number, 30, 3), 25 * number, "uint8"), number % 2

    dataset = ks.data.from_generator(stripes, image_size=16, batch_size=5, count=10)
    [tuple(images.shape) for images, labels in dataset]   # [(5, 16, 16, 3), (5, 16, 16, 3)]
    ```
    """
    plan = Plan.from_arguments(image_size, batch_size, training=training, seed=seed, **shared)
    channels = arguments.as_choice("channels", channels, (1, 3))
    on_error = arguments.as_choice("on_error", on_error, ("raise", "skip"))
    max_pixels = arguments.as_integer("max_pixels", max_pixels, minimum=1)
    buffer = arguments.as_integer("shuffle_buffer", shuffle_buffer, minimum=1)
    names = None if class_names is None else arguments.as_names("class_names", class_names)
    for name, value in (("count", count), ("limit", limit)):
        if value is not None:
            arguments.as_integer(name, value, minimum=1)
    table = GeneratorTable(function, count, limit)
    if names is not None and not table.is_labeled:
        raise ValueError(f"class_names needs labels, got {names!r} without them.")
    if on_error == "skip" and table.channels is None and count is None:
        raise ValueError("on_error='skip' needs count, the images of an epoch, got count=None.")
    broken = BrokenFiles(table, channels, max_pixels, on_error)
    dataset = batched(_Generated(broken, table, buffer, names, training), plan)
    dataset.broken_files = broken.reasons
    return dataset


class _Generated(StreamSource):
    """Give the images of a function.

    Args:
        broken: how to decode encoded ones, and which are broken as far as it is known.
        table: what the function yields.
        buffer: images among which the next one of a training epoch is drawn.
        class_names: names of the labels, or None.
        training: whether another image takes the place of a broken one.
    """

    def __init__(
        self,
        broken: BrokenFiles,
        table: GeneratorTable,
        buffer: int,
        class_names: list[str] | None,
        training: bool,
    ) -> None:
        is_encoded = table.channels is None
        image = (
            tf.TensorSpec((), tf.string)
            if is_encoded
            else tf.TensorSpec((None, None, table.channels), tf.uint8)
        )
        signature = {"image": image, "label": tf.TensorSpec((), tf.int32)}
        self.broken = broken
        self.table = table
        self.replaces = is_encoded and len(table) > 0
        super().__init__(
            tf.data.Dataset.from_generator(lambda: iter(table), output_signature=signature),
            self._open,
            len(table) or None,
            ClassLabels(lambda record: record["label"]) if table.is_labeled else Targets(),
            buffer=buffer,
            class_names=class_names,
            is_exact=training or broken.on_error == "raise" or not is_encoded,
        )

    def load_all(
        self, records: tf.data.Dataset, load: Load, epochs: Epochs, part: EpochPart
    ) -> tf.data.Dataset:
        """Load the records of a part, and something else or nothing for the broken ones."""
        if not self.replaces:
            return super().load_all(records, load, epochs, part)

        def order(epoch_seed: int) -> np.ndarray:
            seeds = tf.data.Dataset.from_tensors(tf.constant(epoch_seed, tf.int64))
            numbers = tf.data.Dataset.range(len(self.table)).map(lambda number: {"number": number})
            shuffled = seeds.flat_map(
                lambda seed: part.of_stream(self.in_order(numbers, epochs, seed))
            )
            return np.array([each["number"] for each in shuffled.as_numpy_iterator()])

        return with_substitutes(
            records,
            load,
            part,
            self.broken,
            order=order,
            record_of=lambda index: {
                name: tf.constant(value) for name, value in self.table.record(index).items()
            },
            training=epochs.training,
            check=self.table.check,
        )

    def _open(self, record: dict[str, tf.Tensor]) -> ReadableImage:
        """Return the image of a record."""
        if self.table.channels is None:
            return self.broken.open_image(record["image"])
        return PixelImage(record["image"])
