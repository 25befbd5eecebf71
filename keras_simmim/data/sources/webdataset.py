"""Tar shards in WebDataset's layout as a source."""

import logging
import os
import re
from collections.abc import Sequence
from typing import Unpack

import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.sources.file_arguments import FileArguments
from keras_simmim.data.sources.file_plan import FilePlan
from keras_simmim.data.tables.cache import cache_folder
from keras_simmim.data.tables.class_column import ClassColumn, class_column
from keras_simmim.data.tables.shard_paths import shard_paths
from keras_simmim.data.tables.shards_record import read_record
from keras_simmim.data.tables.tar_index import TarIndex, tar_index
from keras_simmim.data.tables.tar_samples import AUTO
from keras_simmim.data.tables.tar_table import TarTable

LOGGER = logging.getLogger("keras_simmim")


def from_webdataset(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 64,
    *,
    image: str | None = None,
    label: str | None = AUTO,
    class_names: Sequence[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    training: bool = True,
    seed: int = 0,
    **shared: Unpack[FileArguments],
) -> tf.data.Dataset:
    """Batch the images in tar shards, as `write_shards` and WebDataset's tools write them.

    Files of a shard belong to one sample if their names agree up to the first dot behind the last
    slash: `train/000017.jpg` and `train/000017.cls`. Everything that holds for a folder holds for
    shards: each epoch has an order of its own over all images of all shards, parts of batches and
    runs that go on are exact. For that, the shards have to lie on a disk, and are read by position.
    Where the images are is looked up in a shard once and kept in `cache_dir`, until the shard's
    size or time changes.

    Args:
        paths: a path, a pattern such as `"shards/*.tar"`, a range such as
            `"shard-{0000..0009}.tar"`, an address of http or https, or a list of these. What has an
            address is downloaded to `cache_dir` before this returns, and stays there.
        image_size: side or `(height, width)` of the results, in pixels; None takes that of `crop`.
        batch_size: images in a batch, over all shards of the batch.
        image: ending of the images' names, such as `"jpg"`; None: any that `image_folder` reads, of
            which a sample must have but one.
        label: `"auto"` for `.cls`, a number or the name of a class; any other text for the value
            under that key of `.json`; None for no labels. A sample without one has the label −1;
            where no sample has one, there are no labels.
        class_names: the classes in the order of their labels; None: those that `write_shards` wrote
            down beside the first shard, or else, where labels are names, these, sorted.
        cache_dir: folder of indexes and downloads; None: keras_simmim in the user's cache
            directory.
        training: True for a new order, random crops and flips in every epoch; False for the order
            of the shards and the largest central crop.
        seed: seed of order, crops, flips, `limit` and `validation_split`.
        **shared: what all sources of files take, see `ks.data.FileArguments`: `limit`,
            `validation_split` and `subset`, `channels`, `on_error`, `max_pixels`, `crop` and
            others, `epoch` and `first_batch`, `shard` and `shards`.

    Returns:
        A `tf.data.Dataset` of uint8 batches (batch, height, width, channels), or of pairs of these
        and int32 labels (batch,), as `image_folder` gives it. It has the attributes `class_names`
        (list or None), `image_count` and `broken_files`, a dictionary from names to reasons: of
        images, `"path of the shard/name in it"`, and of shards that are cut off or no tars, of
        which the images in front of the damage remain.

    Raises:
        FileNotFoundError: if a shard is not there, or no shard fits a pattern.
        OSError: if a download fails.
        ValueError: if there is no image, no intact image, labels are no classes, an argument is out
            of bounds, or arguments contradict each other.
        TypeError: if an argument has another type.

    Source: https://github.com/webdataset/webdataset, "The WebDataset Format".

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
    ks.data.write_shards("pets", "shards", size=32)
    dataset = ks.data.from_webdataset(
        "shards/*.tar", image_size=(16, 24), training=False, cache_dir="cache"
    )
    images, labels = next(iter(dataset))
    dataset.class_names, tuple(images.shape), labels.numpy().tolist()
    # (['cat', 'dog'], (2, 16, 24, 3), [0, 1])
    ```
    """
    plan = FilePlan.from_arguments(
        image_size, batch_size, training=training, seed=seed, dense=False, **shared
    )
    for name, value in (("image", image), ("label", label)):
        if value is not None and (not isinstance(value, str) or not value):
            raise TypeError(f"{name} must be a text or None, got {value!r}.")
    image = None if image is None else image.removeprefix(".").lower()
    if class_names is not None:
        class_names = arguments.as_names("class_names", class_names)
    cache = cache_folder(cache_dir)
    files = shard_paths("paths", paths, cache)
    unreadable: dict[str, str] = {}
    indexes = [_indexed(path, image, label, cache, unreadable) for path in files]
    if not any(len(index.starts) for index in indexes):
        raise ValueError(_nothing_found(files, unreadable, image))
    columns = _classes(files, indexes, label, class_names)
    return plan.batched_rows(TarTable(files, indexes), *columns, unreadable)


def _indexed(
    path: str, image: str | None, label: str | None, cache: str, unreadable: dict[str, str]
) -> TarIndex:
    """Return the index of a shard, and note what of it cannot be read."""
    index = tar_index(path, image, label, cache)
    if index.notes["damage"] is not None:
        unreadable[path] = f"{index.notes['damage']}; {len(index.starts)} images stand before that"
    for name, reason in index.notes["broken"].items():
        unreadable[os.path.join(path, name)] = reason
    if alone := index.notes["without_image"]:
        LOGGER.warning("Left out: %d samples of %r have no image.", alone, path)
    return index


def _nothing_found(files: list[str], unreadable: dict[str, str], image: str | None) -> str:
    """Return the message of an error for shards without an image."""
    if unreadable:
        name, reason = list(unreadable.items())[-1]
        return f"no image in {len(files)} shards; broken are {len(unreadable)}, {name!r}: {reason}."
    wanted = "an image's" if image is None else f".{image}"
    return f"no image in {len(files)} shards, first {files[0]!r}: no name's ending is {wanted}."


def _classes(
    files: list[str],
    indexes: list[TarIndex],
    label: str | None,
    class_names: Sequence[str] | None,
) -> ClassColumn:
    """Return the classes of all images."""
    values = [value for index in indexes for value in index.notes["labels"]]
    given = {value for value in values if value is not None}
    if label == AUTO and all(re.fullmatch(r"[+-]?[0-9]{1,18}", text) for text in given):
        values = [None if value is None else int(value) for value in values]
    if class_names is None and label == AUTO and given:
        record = read_record(os.path.dirname(files[0]))
        class_names = None if record is None else record["class_names"]
    return class_column(values, class_names)
