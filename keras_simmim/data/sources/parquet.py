"""Parquet files as a source."""

import importlib.util
import os
from collections.abc import Sequence
from typing import Unpack

import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.sources.file_arguments import FileArguments
from keras_simmim.data.sources.file_plan import FilePlan
from keras_simmim.data.tables.cache import cache_folder
from keras_simmim.data.tables.class_column import class_column
from keras_simmim.data.tables.parquet_file import ParquetFile
from keras_simmim.data.tables.parquet_table import ParquetTable
from keras_simmim.data.tables.shard_paths import shard_paths

CACHE_BYTES = 2**28


def from_parquet(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 64,
    *,
    image: str = "image",
    label: str | None = None,
    class_names: Sequence[str] | None = None,
    cache_bytes: int = CACHE_BYTES,
    cache_dir: str | os.PathLike[str] | None = None,
    training: bool = True,
    seed: int = 0,
    **shared: Unpack[FileArguments],
) -> tf.data.Dataset:
    """Batch the images in a column of parquet files, as the Hugging Face hub has them.

    For one image its whole row group is read, and those that were read last are kept. So training
    in random order is as fast as from a folder if all images fit into `cache_bytes`, or if row
    groups are small: of 10 to 100 images, or of some 1 MB (`row_group_size=` as they are
    written). With the hundreds of megabytes that some writers make of a row group, each image costs
    seconds: `from_huggingface` reads what `datasets` has loaded from the same files at once, and
    `write_shards` packs folders.

    Args:
        paths: a path, a pattern such as `"data/train-*.parquet"`, a range such as
            `"part-{0000..0009}.parquet"`, an address of http or https, or a list of these. What has
            an address is downloaded to `cache_dir` before this returns, and stays there.
        image_size: side or `(height, width)` of the results, in pixels; None takes that of `crop`.
        batch_size: images in a batch, over all shards of the batch.
        image: name of the column of encoded images: bytes, or a struct with "bytes".
        label: name of a column of integers or names, None for no labels. A row without one has the
            label −1.
        class_names: the classes in the order of their labels; None: those that `datasets` wrote
            down, or else, where labels are names, these, sorted.
        cache_bytes: bytes of row groups that are kept in memory, 256 MiB. The row group that was
            read last is kept, whatever its size.
        cache_dir: folder of downloads; None: keras_simmim in the user's cache directory.
        training: True for a new order, random crops and flips in every epoch; False for the order
            of the rows and the largest central crop.
        seed: seed of order, crops, flips, `limit` and `validation_split`.
        **shared: what all sources of files take, see `ks.data.FileArguments`: `limit`,
            `validation_split` and `subset`, `channels`, `on_error`, `max_pixels`, `crop` and
            others, `epoch` and `first_batch`, `shard` and `shards`.

    Returns:
        A `tf.data.Dataset` of uint8 batches (batch, height, width, channels), or of pairs of these
        and int32 labels (batch,), as `image_folder` gives it. It has the attributes `class_names`
        (list or None), `image_count` and `broken_files`, a dictionary from names to reasons: of
        rows, `"path of the file/row 17"`, and of files that cannot be read, without their rows.

    Raises:
        ImportError: if pyarrow is not installed.
        FileNotFoundError: if a file is not there, or none fits a pattern.
        OSError: if a download fails.
        ValueError: if no file has rows with such columns, no image is intact, labels are no
            classes, an argument is out of bounds, or arguments contradict each other.
        TypeError: if an argument has another type.

    Example:
    ```python
    import keras_simmim as ks
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet
    import tensorflow as tf

    pixels = np.random.default_rng(0).integers(0, 256, (4, 40, 50, 3), dtype="uint8")
    images = [{"bytes": tf.io.encode_png(each).numpy(), "path": None} for each in pixels]
    table = pa.table({"image": images, "label": ["cat", "dog", None, "cat"]})
    pa.parquet.write_table(table, "pets.parquet", row_group_size=2)
    dataset = ks.data.from_parquet("pets.parquet", (16, 24), label="label", training=False)
    images, labels = next(iter(dataset))
    tuple(images.shape), labels.numpy().tolist()   # (4, 16, 24, 3), [0, 1, -1, 0]
    ```
    """
    plan = FilePlan.from_arguments(
        image_size, batch_size, training=training, seed=seed, dense=False, **shared
    )
    if importlib.util.find_spec("pyarrow") is None:
        raise ImportError("from_parquet needs pyarrow: pip install 'keras-simmim[parquet]'")
    for name, value in (("image", image), ("label", "" if label is None else label)):
        if not isinstance(value, str):
            raise TypeError(f"{name} must be the name of a column, got {value!r}.")
    if class_names is not None:
        class_names = arguments.as_names("class_names", class_names)
    cache_bytes = arguments.as_integer("cache_bytes", cache_bytes, minimum=0)
    files, unreadable = [], {}
    named = shard_paths("paths", paths, cache_folder(cache_dir))
    for path in named:
        try:
            files.append(ParquetFile(path, image, label))
        except ValueError as error:
            unreadable[path] = str(error)
    files = [file for file in files if file.groups]
    if not files:
        reason = "".join(f"; {path!r}: {why}" for path, why in list(unreadable.items())[-1:])
        raise ValueError(f"no image in {len(named)} files, first {named[0]!r}{reason}.")
    labels = [value for file in files for value in file.labels]
    if class_names is None and any(value is not None for value in labels):
        class_names = files[0].class_names
    try:
        columns = class_column(labels, class_names)
    except ValueError as error:
        raise _named(error, files, class_names) from error
    return plan.batched_rows(ParquetTable(files, cache_bytes), *columns, unreadable)


def _named(
    error: ValueError, files: list[ParquetFile], class_names: Sequence[str] | None
) -> ValueError:
    """Return an error of labels with the name of the file that alone has it, if one has."""
    for file in files:
        labels = [label for label in file.labels if label is not None]
        try:
            class_column(labels, class_names if labels else None)
        except ValueError as found:
            return ValueError(f"{file.path!r}: {found}")
    return error
