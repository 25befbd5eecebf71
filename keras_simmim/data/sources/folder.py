"""A folder of image files as a source."""

import os
from collections.abc import Sequence
from typing import Unpack

import numpy as np
import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.pipeline.source_arguments import SourceArguments
from keras_simmim.data.reading.encoded_image import MAX_PIXELS
from keras_simmim.data.sources.file_plan import FilePlan
from keras_simmim.data.sources.listing import list_images
from keras_simmim.data.targets.class_labels import ClassLabels
from keras_simmim.data.targets.targets import Targets


def image_folder(
    path: str | os.PathLike[str],
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 64,
    *,
    labels: str | Sequence[int] | np.ndarray | None = "auto",
    class_names: Sequence[str] | None = None,
    training: bool = True,
    seed: int = 0,
    limit: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    channels: int | str | Sequence[int | str] = 3,
    value_range: tuple[float, float] | str | None = None,
    page: int | str | None = None,
    on_error: str = "skip",
    max_pixels: int = MAX_PIXELS,
    cache: str | None = None,
    **shared: Unpack[SourceArguments],
) -> tf.data.Dataset:
    """Batch the image files of a folder and of the folders in it.

    JPEG, PNG, GIF (its first frame), BMP and still WebP are read, whichever of their extensions a
    file has, and where their packages are installed TIFF, DICOM, HEIC and AVIF; and arrays, .npy
    and .npz, of (height, width) or (height, width, channels), unless an image of the same name lies
    beside them. Hidden files are left out; other images are left out with a warning that counts
    them. Of a JPEG no more than the crop is decoded. Images are turned as their EXIF says, or the
    orientation of a TIFF; alpha is ignored, and 16 bits are scaled to 8, unless they are asked for.

    Args:
        path: the folder.
        image_size: side or `(height, width)` of the results, in pixels; None takes that of `crop`.
        batch_size: images in a batch, over all shards.
        labels: `"auto"`: the sub-folders of `path`, sorted by name, are the classes if the images
            lie in them, and there are no labels if the images lie in `path` itself; folders
            without an image are no classes, and a warning names them. None: no labels, all images.
            Or one integer an image, in the order of the sorted paths.
        class_names: names of the sub-folders in the order of their labels, such as another data
            set's `class_names`, so that both have the same labels although a class is empty in
            one; None: those with an image, sorted.
        training: True for a new order, random crops and flips in every epoch; False for the sorted
            order and the largest central crop.
        seed: seed of order, crops, flips, `limit` and `validation_split`.
        limit: most images to use, chosen at random by `seed` and evenly over the classes.
        validation_split: share of the images, taken evenly from the classes, that is held out,
            between 0 and 1; None splits nothing. Equal seeds split alike.
        subset: which side of the split to give, `"training"` or `"validation"`.
        channels: 3 for color or 1 for gray, to which the other is converted; `"all"`; or which
            ones, in their order, by number from 0 or by name: "gray", "red", "green", "blue" and
            "alpha" of usual images, and the names that OME and GDAL give to the channels of a TIFF.
            The first intact file decides how many there are; others are broken.
        value_range: values `(low, high)` that become 0 and 255, such as `(0, 4095)` for 12 bits,
            with those beyond clipped, and without loss: images are then float32. Or `"dtype"`, the
            whole range of the integers of the files; `"percentiles"`, 0.5 and 99.5 of a sample of
            the files, drawn by `seed`, one range for all images and channels; or `"window"`, that
            of each DICOM. What is to be looked at anyway, such as JPEGs and PNGs of 8 bits, stays
            as it is; NaN and what a TIFF calls no data become 0. None: 8 bits stay, 16 are scaled
            from 0 to 65535, with a warning if a look at some files finds no values but much smaller
            ones, and others, such as floats, are refused.
        page: of TIFFs and DICOMs of several pages or frames, its number from 0, or `"all"` to make
            channels of them; None: the first, and a warning if a look at some finds more.
        on_error: `"skip"` logs and leaves out a file that cannot be read: in training another
            image takes its place, so that every epoch is equally long. `"raise"` ends the
            iteration with a `tf.errors.InvalidArgumentError` that names the file and the reason.
        max_pixels: most pixels that an image's header may state; one that states more is broken.
            The default is Pillow's: half a GiB of color.
        cache: "memory" or "disk" to decode each image once and keep its pixels for later epochs:
            in this process' memory, or in a temporary file that is gone with the process. Larger
            images are first reduced, by averages, to the shorter side of which the smallest crop
            has as many pixels as it is to have: for crops of 64 pixels, 79, which takes about 25
            kB an image. "auto" is "memory" for as many images as take at most 1 GiB, if they are
            converted to color or gray. None: every epoch reads the files.
        **shared: what all sources take, see `ks.data.SourceArguments`: `crop`, or its parts
            `crop_scale`, `crop_ratio` and `flip`; `crops`, to have several of each image; `epoch`
            and `first_batch`, to go on with a run; `drop_remainder`; `shard` and `shards`, where
            several processes share the work.

    Returns:
        A `tf.data.Dataset` of uint8 batches, or of float32 with `value_range`, of 0–255 (batch,
        height, width, channels), with an axis of `crops` behind the first if there are several, or
        of pairs of these and int32 labels (batch,). It has the attributes `class_names` (list or
        None), `file_paths` (list, in the order of `training=False`), `image_count`, `broken_files`,
        a dictionary from path to reason that fills as broken files are met, `value_range`, the
        values that became 0 and 255, and `channel_names`; the last two are None where nothing was
        asked for, and `fit` hands them to the model. The number of batches is known unless
        `training=False`, `on_error="skip"` and all is in one shard.

    Raises:
        FileNotFoundError: if there is nothing at `path`.
        NotADirectoryError: if `path` is no folder.
        ImportError: if all images need a package that is not installed; it names the extra.
        ValueError: if there is no image, no intact image, an image in a folder that `class_names`
            lacks, an argument out of bounds, or arguments contradict each other.
        TypeError: if an argument has another type.

    Example:
    ```python
    from pathlib import Path
    import keras
    import numpy as np
    import keras_simmim as ks

    for name in ("cat", "dog"):
        Path("pets", name).mkdir(parents=True)
        pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3))
        keras.utils.save_img(f"pets/{name}/1.png", pixels)
    dataset = ks.data.image_folder("pets", image_size=(16, 24), training=False)
    images, labels = next(iter(dataset))
    tuple(images.shape), labels.numpy().tolist()   # (2, 16, 24, 3), [0, 1]
    ```
    """
    plan = FilePlan.from_arguments(
        image_size,
        batch_size,
        training=training,
        seed=seed,
        dense=False,
        limit=limit,
        validation_split=validation_split,
        subset=subset,
        channels=channels,
        value_range=value_range,
        page=page,
        on_error=on_error,
        max_pixels=max_pixels,
        cache=cache,
        **shared,
    )
    if class_names is not None:
        class_names = arguments.as_names("class_names", class_names)
    if isinstance(labels, str) and labels != "auto":
        raise ValueError(f"labels must be 'auto', None or integers, got {labels!r}.")

    unreadable: dict[str, str] = {}
    path = arguments.as_path("path", path)
    files = list_images(path, isinstance(labels, str), unreadable, class_names)
    if labels is not None and not isinstance(labels, str):
        files = files.labeled(arguments.as_labels(labels, len(files.paths)))
    files = files.chosen(plan.choose(files.classes))
    targets = ClassLabels.of(files.classes) if files.is_labeled else Targets()
    return plan.batched(files.paths, targets, files.class_names, unreadable)
