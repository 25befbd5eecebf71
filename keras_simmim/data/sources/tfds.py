"""Data sets of TensorFlow Datasets as a source."""

import os
from typing import Any, Unpack

import numpy as np
import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.pipeline.batching import batched
from keras_simmim.data.pipeline.plan import Plan
from keras_simmim.data.pipeline.source_arguments import SourceArguments
from keras_simmim.data.pipeline.stream_source import StreamSource
from keras_simmim.data.reading.channel_choice import ChannelChoice
from keras_simmim.data.reading.encoded_image import MAX_PIXELS, EncodedImage
from keras_simmim.data.reading.formats import DEEP_RANGE
from keras_simmim.data.reading.picture_reader import PictureReader
from keras_simmim.data.reading.readable_image import ReadableImage
from keras_simmim.data.targets.class_labels import ClassLabels
from keras_simmim.data.targets.targets import Targets


def from_tfds(
    name: str,
    split: str,
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 64,
    *,
    training: bool = True,
    seed: int = 0,
    limit: int | None = None,
    channels: int = 3,
    value_range: tuple[float, float] | None = None,
    shuffle_buffer: int = 10_000,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
    **shared: Unpack[SourceArguments],
) -> tf.data.Dataset:
    """Batch an image data set of TensorFlow Datasets.

    The images stay encoded until they are cropped, so that of a JPEG no more than the crop is
    decoded. Labels are taken if there is an integer feature called "label".

    TFDS gives its examples one after another, and the buffer that shuffles them has to see all:
    each shard reads the files of the whole split, and leaves out what is not its own before it is
    decoded. Where TFDS does not know the number of images, shards need `drop_remainder=True`.

    Args:
        name: name of the data set, such as `"cifar10"` or `"imagenet2012:5.1.0"`.
        split: its split, such as `"train"` or `"train[:90%]"`.
        image_size: side or `(height, width)` of the results, in pixels; None takes that of `crop`.
        batch_size: images in a batch, over all shards.
        training: True for a new order, random crops and flips in every epoch; False for the stored
            order and the largest central crop.
        seed: seed of order, crops and flips.
        limit: most images to use, the first ones: TFDS stores its data sets shuffled.
        channels: 3 for color or 1 for gray.
        value_range: values `(low, high)` that become 0 and 255, with those beyond clipped, and
            without loss: images are then float32. None: 8 bits stay, 16 bits are scaled to 8.
        shuffle_buffer: encoded images among which the next one of a training epoch is drawn.
        data_dir: folder of the prepared data sets, None for that of TFDS.
        download: whether to download and prepare a data set that is not there yet.
        **shared: what all sources take, see `ks.data.SourceArguments`: `crop`, or its parts
            `crop_scale`, `crop_ratio` and `flip`; `crops`, to have several of each image; `epoch`
            and `first_batch`, to go on with a run; `drop_remainder`; `shard` and `shards`, where
            several processes share the work.

    Returns:
        A `tf.data.Dataset` of uint8 batches, or of float32 with `value_range`, of 0–255 (batch,
        height, width, channels), with an axis of `crops` behind the first if there are several, or
        of pairs of these and int32 labels (batch,). Its `class_names` is a list or None, its
        `image_count` the number of images, None if TFDS does not know it, its `value_range` what
        was given.

    Raises:
        ImportError: if tensorflow-datasets is not installed.
        ValueError: if there is no such split or no image in it, an argument is out of bounds, or
            arguments contradict each other.
        TypeError: if an argument has another type.

    Example:
    ```python
    import tensorflow_datasets as tfds
    import keras_simmim as ks

    with tfds.testing.mock_data(num_examples=8):
        dataset = ks.data.from_tfds("cifar10", "train", image_size=32, batch_size=4)
    [tuple(images.shape) for images, labels in dataset]   # [(4, 32, 32, 3), (4, 32, 32, 3)]
    ```
    """
    plan = Plan.from_arguments(image_size, batch_size, training=training, seed=seed, **shared)
    channels = arguments.as_choice("channels", channels, (1, 3))
    if value_range is not None:
        value_range = arguments.as_value_range(value_range, *DEEP_RANGE)
    buffer = arguments.as_integer("shuffle_buffer", shuffle_buffer, minimum=1)
    stored, class_names, is_labeled = _prepared(name, split, data_dir, download)
    if limit is not None:
        stored = stored.take(arguments.as_integer("limit", limit, minimum=1))
    count = int(stored.cardinality())
    if count == 0:
        raise ValueError(f"split {split!r} of {name!r} holds no images.")
    labels = ClassLabels(lambda record: tf.cast(record["label"], tf.int32))
    reader = PictureReader(ChannelChoice(channels), value_range, MAX_PIXELS, page=0)
    reader.count = channels

    def open_image(record: Any) -> ReadableImage:
        if value_range is None:
            return EncodedImage.open(record["image"], channels)
        return reader.open(record["image"])

    source = StreamSource(
        stored,
        open_image,
        count if count > 0 else None,
        labels if is_labeled else Targets(),
        buffer=buffer,
        class_names=class_names,
    )
    dataset = batched(source, plan)
    dataset.value_range = value_range
    return dataset


def _prepared(
    name: str, split: str, data_dir: str | os.PathLike[str] | None, download: bool
) -> tuple[tf.data.Dataset, list[str] | None, bool]:
    """Return the encoded images, with labels if there are any, and the names of the classes."""
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            "from_tfds needs tensorflow-datasets: pip install 'keras-simmim[datasets]'"
        ) from error
    builder = tfds.builder(name, data_dir=data_dir)
    if download:
        builder.download_and_prepare()
    features = builder.info.features
    parts = dict(features.items()) if isinstance(features, tfds.features.FeaturesDict) else {}
    image, label = parts.get("image"), parts.get("label")
    if not isinstance(image, tfds.features.Image) or _kind(image) != "u":
        raise ValueError(
            "name must be a data set with integer pixels in a feature called 'image', got "
            f"{name!r} with the features {', '.join(sorted(parts)) or type(features).__name__}."
        )
    has_labels = label is not None and label.shape == () and _kind(label) in "iu"
    wanted = {"image", "label"} if has_labels else {"image"}
    source = builder.as_dataset(
        split=split,
        decoders=tfds.decode.PartialDecoding(
            dict.fromkeys(wanted, True), decoders={"image": tfds.decode.SkipDecoding()}
        ),
        # A cache in memory would be filled anew for every epoch.
        read_config=tfds.ReadConfig(try_autocache=False),
    )
    return source, getattr(label, "names", None) if has_labels else None, has_labels


def _kind(feature: Any) -> str:
    """Return NumPy's letter for a feature's type: "u" for unsigned integers, "i" for signed."""
    return np.dtype(feature.np_dtype).kind
