"""A folder of image files as a source."""

import functools
import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.geometry.views import Views
from keras_simmim.data.pipeline.batching import batched
from keras_simmim.data.pipeline.epochs import Epochs
from keras_simmim.data.pipeline.host import leave_gpu_to_backend
from keras_simmim.data.reading.broken import BrokenFiles
from keras_simmim.data.reading.decoding import MAX_PIXELS, decode_box
from keras_simmim.data.reading.gaps import without_gaps
from keras_simmim.data.sources.arrays import as_labels
from keras_simmim.data.sources.listing import choose_evenly, choose_subset, list_images


def image_folder(
    path: str | os.PathLike[str],
    image_size: int | tuple[int, int],
    batch_size: int = 64,
    *,
    labels: str | Sequence[int] | np.ndarray | None = "auto",
    training: bool = True,
    seed: int = 0,
    epoch: int = 0,
    first_batch: int = 0,
    limit: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    channels: int = 3,
    crop_scale: tuple[float, float] = (0.67, 1.0),
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3),
    flip: bool = True,
    drop_remainder: bool | None = None,
    on_error: str = "skip",
    max_pixels: int = MAX_PIXELS,
) -> tf.data.Dataset:
    """Batches the image files of a folder and of the folders in it.

    JPEG, PNG, GIF (its first frame), BMP and still WebP are read, whatever the extension says of
    the format; hidden files are left out. Of a JPEG no more than the crop is decoded, and it is
    turned as its EXIF says. Alpha is ignored; 16-bit PNGs are scaled to 8 bits.

    Args:
        path: the folder.
        image_size: side or `(height, width)` of the views, in pixels.
        batch_size: images in a batch.
        labels: `"auto"`: the sub-folders of `path`, sorted by name, are the classes if the images
            lie in them, and there are no labels if the images lie in `path` itself. None: no
            labels, all images. Or one integer an image, in the order of the sorted paths.
        training: True for a new order, random resized crops and flips in every epoch; False for
            the sorted order and the largest central crop.
        seed: seed of order, crops and flips.
        epoch: number of the first iteration over the data set; each further one is the next epoch.
            It counts as one when it gets to its third batch.
        first_batch: with which batch of its epoch the first iteration begins, 0 or more, to go on
            where an interrupted run stopped. `cardinality()` stays that of a whole epoch.
        limit: most images to use, chosen at random by `seed` and evenly over the classes.
        validation_split: share of the images, taken evenly from the classes, that is held out,
            between 0 and 1; None splits nothing. Equal seeds split alike.
        subset: which side of the split to give, `"training"` or `"validation"`.
        channels: 3 for colour or 1 for grey.
        crop_scale: bounds of a training crop's share of the image's area.
        crop_ratio: bounds of a training crop's width divided by its height.
        flip: whether half of the training views are mirrored left to right.
        drop_remainder: whether an incomplete last batch is left out; None: in training, unless it
            is the only batch.
        on_error: `"skip"` logs and leaves out a file that cannot be read: in training another
            image takes its place, so that every epoch is equally long. `"raise"` ends the
            iteration with a `tf.errors.InvalidArgumentError` that names the file and the reason.
        max_pixels: most pixels that an image's header may state; one that states more is broken.
            The default is Pillow's: half a GiB of colour.

    Returns:
        A `tf.data.Dataset` of uint8 batches (batch, height, width, channels), or of pairs of these
        and int32 labels (batch,). It has the attributes `class_names` (list or None), `file_paths`
        (list, in the order of `training=False`), `image_count` and `broken_files`, a dictionary
        from path to reason that fills as broken files are met. The number of batches is known
        unless `training=False` and `on_error="skip"`.

    Raises:
        FileNotFoundError: if there is nothing at `path`.
        NotADirectoryError: if `path` is no folder.
        ValueError: if there is no image, no intact image, or an argument out of bounds.
        TypeError: if an argument has another type.

    Example:
        >>> import os, tempfile
        >>> import keras, numpy as np
        >>> from keras_simmim import data
        >>> folder = tempfile.mkdtemp()
        >>> for name in ("cat", "dog"):
        ...     os.mkdir(os.path.join(folder, name))
        ...     pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3))
        ...     keras.utils.save_img(os.path.join(folder, name, "1.png"), pixels)
        >>> dataset = data.image_folder(folder, image_size=(16, 24), training=False)
        >>> dataset.class_names
        ['cat', 'dog']
        >>> [(images.shape.as_list(), labels.numpy().tolist()) for images, labels in dataset]
        [([2, 16, 24, 3], [0, 1])]
    """
    leave_gpu_to_backend()
    views = Views(image_size, training, crop_scale, crop_ratio, flip)
    epochs = Epochs(training, seed, epoch, first_batch)
    channels = arguments.as_choice("channels", channels, (1, 3))
    on_error = arguments.as_choice("on_error", on_error, ("skip", "raise"))
    max_pixels = arguments.as_integer("max_pixels", max_pixels, minimum=1)
    paths, classes, class_names, unreadable = _listed(
        path, labels, limit, validation_split, subset, epochs.seed
    )
    count = len(paths)
    broken = BrokenFiles(paths, channels, max_pixels, on_error)
    for folder, reason in unreadable.items():
        broken.note(folder, reason)
    broken.check_first()
    with tf.device("CPU:0"):
        path_of = tf.constant([os.fsencode(path) for path in paths])
        class_of = tf.constant(classes, tf.int32)
    has_labels = class_names is not None or labels not in ("auto", None)

    @functools.lru_cache(maxsize=2)
    def order_of(epoch_seed: int) -> np.ndarray:
        return epochs.order(count, tf.constant(epoch_seed, tf.int64)).numpy()

    def records_of(epoch_seed: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(epochs.order(count, epoch_seed))

    @tf.autograph.experimental.do_not_convert
    def read(index: tf.Tensor, image_seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        contents = tf.io.read_file(path_of[index])

        def crop(box_of: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
            return decode_box(contents, box_of, channels, max_pixels)

        view = tf.ensure_shape(views.view(crop, image_seed), (*views.size, channels))
        return view, class_of[index]

    def substitute(epoch_seed: int, position: int) -> tuple[np.ndarray, np.ndarray] | None:
        index = int(order_of(epoch_seed)[position])
        broken.record(index)
        if not training:
            return None
        with tf.device("CPU:0"):
            for other in broken.substitutes(index):
                try:
                    view, label = read(tf.constant(other), tf.constant([epoch_seed, position]))
                    return view.numpy(), label.numpy()
                except tf.errors.OpError:
                    broken.record(other)
        return None

    def load(records: tf.data.Dataset) -> tf.data.Dataset:
        images = without_gaps(records, read, substitute, count)
        return images if has_labels else images.map(lambda view, label: view)

    dataset = batched(
        records_of,
        load,
        epochs,
        batch_size=batch_size,
        drop_remainder=drop_remainder,
        image_count=count,
        is_exact=training or on_error == "raise",
    )
    dataset.class_names = class_names
    dataset.file_paths = paths
    dataset.image_count = count
    dataset.broken_files = broken.reasons
    return dataset


def _listed(
    path: str | os.PathLike[str],
    labels: str | Sequence[int] | np.ndarray | None,
    limit: int | None,
    validation_split: float | None,
    subset: str | None,
    seed: int,
) -> tuple[list[str], list[int], list[str] | None, dict[str, str]]:
    if isinstance(labels, str) and labels != "auto":
        raise ValueError(f"labels must be 'auto', None or integers, got {labels!r}.")
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a path, got {path!r}.")
    unreadable: dict[str, str] = {}
    paths, classes, class_names = list_images(
        os.fsdecode(path), isinstance(labels, str), unreadable
    )
    if labels is not None and not isinstance(labels, str):
        classes = as_labels(labels, len(paths)).tolist()
    if limit is not None:
        limit = arguments.as_integer("limit", limit, minimum=1)
        chosen = choose_evenly(classes, limit, seed)
        paths = [paths[index] for index in chosen]
        classes = [classes[index] for index in chosen]
    if validation_split is not None or subset is not None:
        chosen = choose_subset(classes, validation_split, subset, seed)
        paths = [paths[index] for index in chosen]
        classes = [classes[index] for index in chosen]
    return paths, classes, class_names, unreadable
