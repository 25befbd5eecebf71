"""TensorFlow Datasets as a source."""

import os
from typing import Any

import numpy as np
import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.geometry.views import Views
from keras_simmim.data.pipeline.batching import batched
from keras_simmim.data.pipeline.epochs import Epochs
from keras_simmim.data.pipeline.host import leave_gpu_to_backend
from keras_simmim.data.reading.decoding import decode_box


def from_tfds(
    name: str,
    split: str,
    image_size: int | tuple[int, int],
    batch_size: int = 64,
    *,
    training: bool = True,
    seed: int = 0,
    epoch: int = 0,
    first_batch: int = 0,
    limit: int | None = None,
    channels: int = 3,
    crop_scale: tuple[float, float] = (0.67, 1.0),
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3),
    flip: bool = True,
    drop_remainder: bool | None = None,
    shuffle_buffer: int = 10_000,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> tf.data.Dataset:
    """Batches an image data set of TensorFlow Datasets.

    The images stay encoded until they are cropped, so that of a JPEG no more than the crop is
    decoded. Labels are taken if there is an integer feature called "label".

    Args:
        name: name of the data set, such as `"cifar10"` or `"imagenet2012:5.1.0"`.
        split: its split, such as `"train"` or `"train[:90%]"`.
        image_size: side or `(height, width)` of the views, in pixels.
        batch_size: images in a batch.
        training: True for a new order, random resized crops and flips in every epoch; False for
            the stored order and the largest central crop.
        seed: seed of order, crops and flips.
        epoch: number of the first iteration over the data set; each further one is the next epoch.
            It counts as one when it gets to its third batch.
        first_batch: with which batch of its epoch the first iteration begins, 0 or more, to go on
            where an interrupted run stopped. `cardinality()` stays that of a whole epoch.
        limit: most images to use, the first ones: TFDS stores its data sets shuffled.
        channels: 3 for colour or 1 for grey.
        crop_scale: bounds of a training crop's share of the image's area.
        crop_ratio: bounds of a training crop's width divided by its height.
        flip: whether half of the training views are mirrored left to right.
        drop_remainder: whether an incomplete last batch is left out; None: in training, unless it
            is the only batch.
        shuffle_buffer: encoded images among which the next one of a training epoch is drawn.
        data_dir: folder of the prepared data sets, None for that of TFDS.
        download: whether to download and prepare a data set that is not there yet.

    Returns:
        A `tf.data.Dataset` of uint8 batches (batch, height, width, channels), or of pairs of these
        and int32 labels (batch,). Its `class_names` is a list or None, its `image_count` the
        number of images, None if TFDS does not know it.

    Raises:
        ImportError: if tensorflow-datasets is not installed.
        ValueError: if there is no such split or no image in it, or an argument is out of bounds.
        TypeError: if an argument has another type.

    Example:
        >>> import tensorflow_datasets as tfds
        >>> from keras_simmim import data
        >>> with tfds.testing.mock_data(num_examples=8):
        ...     dataset = data.from_tfds("cifar10", "train", image_size=32, batch_size=4)
        >>> [images.shape.as_list() for images, labels in dataset]
        [[4, 32, 32, 3], [4, 32, 32, 3]]
    """
    leave_gpu_to_backend()
    views = Views(image_size, training, crop_scale, crop_ratio, flip)
    epochs = Epochs(training, seed, epoch, first_batch)
    channels = arguments.as_choice("channels", channels, (1, 3))
    buffer = arguments.as_integer("shuffle_buffer", shuffle_buffer, minimum=1)
    source, class_names, has_labels = _prepared(name, split, data_dir, download)
    if limit is not None:
        source = source.take(arguments.as_integer("limit", limit, minimum=1))
    count = int(source.cardinality())
    if count == 0:
        raise ValueError(f"split {split!r} of {name!r} holds no images.")

    def records_of(epoch_seed: tf.Tensor) -> tf.data.Dataset:
        if not training:
            return source
        # The graph's own seed, copied from `tf.random.set_seed`, would take part in the order.
        tf.compat.v1.set_random_seed(1)
        return source.shuffle(buffer, seed=epoch_seed, reshuffle_each_iteration=False)

    @tf.autograph.experimental.do_not_convert
    def load(record: dict[str, tf.Tensor], image_seed: tf.Tensor) -> Any:
        contents = record["image"]
        view = views.view(lambda box_of: decode_box(contents, box_of, channels), image_seed)
        view = tf.ensure_shape(view, (*views.size, channels))
        return (view, tf.cast(record["label"], tf.int32)) if has_labels else view

    dataset = batched(
        records_of,
        lambda records: records.map(load, tf.data.AUTOTUNE),
        epochs,
        batch_size=batch_size,
        drop_remainder=drop_remainder,
        image_count=count if count > 0 else None,
    )
    dataset.class_names = class_names
    dataset.image_count = count if count > 0 else None
    return dataset


def _prepared(
    name: str, split: str, data_dir: str | os.PathLike[str] | None, download: bool
) -> tuple[tf.data.Dataset, list[str] | None, bool]:
    """Returns the encoded images, with labels if there are any, and the names of the classes."""
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            "from_tfds needs tensorflow-datasets: pip install keras-simmim[datasets]"
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
    return np.dtype(feature.np_dtype).kind
