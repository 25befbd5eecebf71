"""Data sets of Hugging Face's `datasets` as a source."""

from typing import Any, Unpack

import tensorflow as tf

from keras_simmim.data.sources.file_arguments import FileArguments
from keras_simmim.data.sources.file_plan import FilePlan
from keras_simmim.data.tables.class_column import class_column
from keras_simmim.data.tables.hugging_face_table import HuggingFaceTable

AUTO = "auto"


def from_huggingface(
    dataset: Any,
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 64,
    *,
    image: str = "image",
    label: str | None = AUTO,
    training: bool = True,
    seed: int = 0,
    **shared: Unpack[FileArguments],
) -> tf.data.Dataset:
    """Batch the images of a data set of Hugging Face's `datasets`.

    The images stay encoded until they are cropped, so that of a JPEG no more than the crop is
    decoded. Everything that holds for a folder holds for the rows: each epoch has an order of its
    own over all of them, parts of batches and runs that go on are exact.

    Args:
        dataset: a `datasets.Dataset`, one split, with a feature `datasets.Image` or one of bytes.
            One that streams has no rows: give it to `from_generator`.
        image_size: side or `(height, width)` of the results, in pixels; None takes that of `crop`.
        batch_size: images in a batch, over all shards of the batch.
        image: name of the column of images.
        label: name of a column of integers or names; `"auto"`: "label" if there is such a column;
            None for no labels. A row without one has the label −1.
        training: True for a new order, random crops and flips in every epoch; False for the order
            of the rows and the largest central crop.
        seed: seed of order, crops, flips, `limit` and `validation_split`.
        **shared: what all sources of files take, see `ks.data.FileArguments`: `limit`,
            `validation_split` and `subset`, `channels`, `on_error`, `max_pixels`, `crop` and
            others, `epoch` and `first_batch`, `shard` and `shards`.

    Returns:
        A `tf.data.Dataset` of uint8 batches (batch, height, width, channels), or of pairs of these
        and int32 labels (batch,), as `image_folder` gives it. It has the attributes `class_names`,
        those of a `ClassLabel` or None, `image_count` and `broken_files`, a dictionary from
        `"row 17"` to the reason why it cannot be read.

    Raises:
        ImportError: if datasets is not installed.
        ValueError: if there is no such column or no intact image, labels are no classes, an
            argument is out of bounds, or arguments contradict each other.
        TypeError: if `dataset` is something else, or an argument has another type.

    Example:
    ```python
    import datasets
    import keras_simmim as ks
    import numpy as np
    import tensorflow as tf

    pixels = np.random.default_rng(0).integers(0, 256, (4, 40, 50, 3), dtype="uint8")
    images = [{"bytes": tf.io.encode_png(each).numpy(), "path": None} for each in pixels]
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    pets = datasets.Dataset.from_dict(
        {"image": images, "label": [0, 1, 1, 0]}, features=datasets.Features(features)
    )
    dataset = ks.data.from_huggingface(pets, (16, 24), training=False)
    images, labels = next(iter(dataset))
    tuple(images.shape), labels.numpy().tolist()   # (4, 16, 24, 3), [0, 1, 1, 0]
    ```
    """
    plan = FilePlan.from_arguments(
        image_size, batch_size, training=training, seed=seed, dense=False, **shared
    )
    try:
        import datasets
    except ImportError as error:
        raise ImportError(
            "from_huggingface needs datasets: pip install 'keras-simmim[huggingface]'"
        ) from error
    if not isinstance(dataset, datasets.Dataset):
        kind = type(dataset).__name__
        splits = f", whose splits are {', '.join(map(repr, dataset))}" if "Dict" in kind else ""
        raise TypeError(f"dataset must be a datasets.Dataset, one split, got a {kind}{splits}.")
    features = dataset.features
    for name, value in (("image", image), ("label", label)):
        if value not in (None, AUTO) and value not in features:
            found = ", ".join(map(repr, features))
            raise ValueError(f"{name} must be one of the columns {found}, got {value!r}.")
    if label == AUTO:
        label = "label" if "label" in features else None
    if not len(dataset):
        raise ValueError("dataset holds no rows.")
    images = dataset.select_columns([image]).with_format(None)
    if isinstance(features[image], datasets.Image):
        images = images.cast_column(image, datasets.Image(decode=False))
    elif getattr(features[image], "dtype", None) not in ("binary", "large_binary"):
        raise ValueError(f"image must be a column of images or bytes, got {features[image]}.")
    values, names = [None] * len(dataset), None
    if label is not None:
        values = dataset.with_format(None)[label][:]
        if any(value is not None for value in values):
            names = getattr(features[label], "names", None)
    columns = class_column(values, names)
    return plan.batched_rows(HuggingFaceTable(images, image), *columns, {})
