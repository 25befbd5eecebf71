"""Arrays, folders, names of TFDS and data sets of tf.data, opened as one kind of thing."""

import dataclasses
import functools
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from keras_simmim import data as sources
from keras_simmim.data.pipeline.origin import origin
from keras_simmim.pretraining.choices import CROP_SCALE, Choice, choose, largest_side
from keras_simmim.training.crops import Crops

# So many images say what all are like.
_SAMPLE = 256


@dataclasses.dataclass(frozen=True)
class Images:
    """Hold images that are open, but not read.

    Args:
        name: what they are, for the record of a run.
        count: how many there are; None if that is not known.
        sample: some of them, uint8 (N, H, W, C), as they are without a crop.
        choice: what suits so many.
        batches: of the number of an epoch, the batches to leave out, the batch size and the crops
            of each image, to what `fit` takes.
        draws_crops: whether `batches` are crops already.
        goes_on_within_epochs: whether batches of an epoch can be left out.
    """

    name: str
    count: int | None
    sample: np.ndarray
    choice: Choice
    batches: Callable[[int, int, int, int], Any]
    draws_crops: bool = True
    goes_on_within_epochs: bool = True


def open_images(data: Any, image_size: Any = None, seed: int = 0) -> Images:
    """Open what `ks.pretrain` takes.

    Args:
        data: an array (N, H, W, C) or (N, H, W) of 0–255; the path of a folder; the path or the
            pattern of tar shards or parquet files, or a list of paths; "tfds:NAME"; or a tf.data
            set of batches of images, with labels or without.
        image_size: side or (height, width), in pixels; chosen if None. None for a tf.data set.
        seed: of order and crops.

    Returns:
        The images.

    Raises:
        TypeError: for anything else.
        ValueError: for fewer than two images, or data that has an own size besides `image_size`.

    Example:
    ```python
    import numpy as np
    from keras_simmim.pretraining.images import open_images

    images = np.random.default_rng(0).integers(0, 256, (10, 31, 33, 3), dtype="uint8")
    open_images(images).sample.shape   # (10, 32, 32, 3): whole patches of 4 pixels
    ```
    """
    if hasattr(data, "element_spec"):
        opened = _of_dataset(data, image_size)
    elif isinstance(data, str) and data.startswith("tfds:"):
        opened = _of_tfds(data.removeprefix("tfds:"), image_size, seed)
    elif shards := _reader_of_shards(data):
        opened = _of_shards(data, shards, image_size, seed)
    elif isinstance(data, str | os.PathLike):
        opened = _of_folder(Path(data), image_size, seed)
    elif hasattr(data, "shape") or isinstance(data, list):
        opened = _of_array(np.asarray(data), image_size, seed)
    else:
        raise TypeError(
            "data must be an array of images, the path of a folder, of tars or of parquet files, "
            f"'tfds:NAME' or a tf.data.Dataset, got {type(data).__name__}."
        )
    if opened.count is not None and opened.count < 2:
        raise ValueError(f"data must hold at least 2 images, got {opened.count} in {opened.name}.")
    return opened


def _of_array(images: np.ndarray, image_size: Any, seed: int) -> Images:
    if images.ndim not in (3, 4) or 0 in images.shape or images.dtype == object:
        raise ValueError(
            "data must be images of one size, an array (N, H, W, C) or (N, H, W), got the shape "
            f"{images.shape} of {images.dtype}; images of many sizes may lie in a folder."
        )
    images = images[..., None] if images.ndim == 3 else images
    choice = choose(len(images))
    size = _pair(image_size) or choice.fitting(images.shape[1:3])
    if importlib.util.find_spec("tensorflow") is None:
        # The model draws the crops, of this size; so it does for the sample.
        whole = Crops(1, (1.0, 1.0), (1.0, 1.0), flip=False, image_size=size)
        sample = ops.convert_to_numpy(whole(images[evenly(len(images))], step=0))[:, 0]
        return Images(
            _described(images),
            len(images),
            sample,
            choice,
            lambda *_: images,
            draws_crops=False,
            goes_on_within_epochs=False,
        )
    plain = sources.from_arrays(images[evenly(len(images))], None, size, _SAMPLE, training=False)

    def batches(epoch: int, first: int, batch_size: int, crops: int) -> Any:
        return sources.from_arrays(
            images, None, size, batch_size, seed=seed, **_going_on(epoch, first, crops)
        )

    return Images(_described(images), len(images), _first(plain), choice, batches)


def _of_folder(path: Path, image_size: Any, seed: int) -> Images:
    found = sources.image_folder(path, 8, labels=None, training=False)
    choice = choose(found.image_count)
    paths = found.file_paths
    size = _pair(image_size) or choice.fitting(_usual_size(paths, largest_side(len(paths))))

    def batches(epoch: int, first: int, batch_size: int, crops: int) -> Any:
        return sources.image_folder(
            path,
            size,
            batch_size,
            labels=None,
            seed=seed,
            cache="auto",
            **_going_on(epoch, first, crops),
        )

    plain = sources.image_folder(
        path, size, _SAMPLE, labels=None, training=False, limit=_SAMPLE, seed=seed
    )
    return Images(str(path), len(paths), _first(plain), choice, batches)


def _reader_of_shards(data: Any) -> Callable[..., Any] | None:
    """Return what reads the tars or parquet files that are named; None for anything else."""
    named = data if isinstance(data, list) and data else [data]
    if not all(isinstance(each, str | os.PathLike) for each in named):
        return None
    endings = {Path(each).suffix for each in named}
    if endings == {".tar"}:
        return functools.partial(sources.from_webdataset, label=None)
    return sources.from_parquet if endings == {".parquet"} else None


def _of_shards(data: Any, read: Callable[..., Any], image_size: Any, seed: int) -> Images:
    found = read(data, 8, training=False)
    choice = choose(found.image_count)
    side = largest_side(found.image_count)
    size = _pair(image_size) or choice.fitting((side, side))

    def batches(epoch: int, first: int, batch_size: int, crops: int) -> Any:
        place = _going_on(epoch, first, crops)
        return read(data, size, batch_size, seed=seed, cache="auto", **place)

    plain = read(data, size, _SAMPLE, training=False, limit=_SAMPLE, seed=seed)
    name = ", ".join(map(os.fsdecode, data)) if isinstance(data, list) else os.fsdecode(data)
    return Images(name, found.image_count, _first(plain), choice, batches)


def _of_tfds(name: str, image_size: Any, seed: int) -> Images:
    probe = sources.from_tfds(name, "train", 8, training=False)
    choice = choose(probe.image_count)
    side = largest_side(probe.image_count)
    size = _pair(image_size) or choice.fitting((side, side))

    def batches(epoch: int, first: int, batch_size: int, crops: int) -> Any:
        dataset = sources.from_tfds(
            name, "train", size, batch_size, seed=seed, **_going_on(epoch, first, crops)
        )
        return _unlabeled(dataset)

    plain = sources.from_tfds(name, "train", size, _SAMPLE, training=False)
    return Images(f"tfds:{name}", probe.image_count, _first(plain), choice, batches)


def _of_dataset(dataset: Any, image_size: Any) -> Images:
    if image_size is not None:
        raise ValueError(
            f"image_size must be None for a tf.data.Dataset, whose images have one, got "
            f"{image_size!r}."
        )
    sample = _first(dataset)
    if sample.ndim != 4:
        raise ValueError(
            f"data must give batches of images (B, H, W, C), got batches {sample.shape}."
        )
    # A shard of `ks.data` gives a part of each batch.
    batch = len(sample) * (origin(dataset, "shards") or 1)
    steps = int(dataset.cardinality())
    count = steps * batch if steps > 0 else None
    choice = choose(count)
    choice = dataclasses.replace(choice, batch_size=batch)
    return Images(
        "a tf.data.Dataset",
        count,
        sample,
        choice,
        lambda *_: _unlabeled(dataset),
        draws_crops=False,
        goes_on_within_epochs=False,
    )


def _going_on(epoch: int, first_batch: int, crops: int) -> dict[str, Any]:
    """Say where an epoch begins, and what crops are: smaller where two are to agree."""
    scale = CROP_SCALE if crops > 1 else (0.67, 1.0)
    return {"epoch": epoch, "first_batch": first_batch, "crops": crops, "crop_scale": scale}


def _first(dataset: Any) -> np.ndarray:
    """Return the images of the first batch."""
    batch = next(iter(dataset.as_numpy_iterator()))
    return np.asarray(batch[0] if isinstance(batch, tuple) else batch)


def _unlabeled(dataset: Any) -> Any:
    """Leave the labels of a data set out."""
    if not isinstance(dataset.element_spec, tuple):
        return dataset
    return dataset.map(lambda images, *_: images)


def evenly(count: int, most: int = _SAMPLE) -> np.ndarray:
    """Choose at most `most` of so many, from the first to the last of what may be sorted."""
    return np.linspace(0, count - 1, min(count, most)).astype(int)


def _pair(image_size: Any) -> tuple[int, int] | None:
    """Return (height, width) of a side, a pair or None."""
    return (image_size, image_size) if isinstance(image_size, int) else image_size


def _described(images: np.ndarray) -> str:
    return f"an array {images.shape} of {images.dtype}"


def _usual_size(paths: list[str], largest: int) -> tuple[int, int]:
    """Return the side of squares as large as the files usually are, but not above a largest."""
    from PIL import Image

    sides = []
    for path in np.array(paths, dtype=object)[evenly(len(paths))]:
        try:
            with Image.open(path) as file:
                sides.append(min(file.size))
        except OSError:
            # Reported when it is read.
            continue
    side = int(min(np.median(sides), largest)) if sides else largest
    return side, side
