"""A folder of image files, and one of masks."""

import logging
import os
from collections.abc import Sequence
from typing import Unpack

import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.sources.file_arguments import FileArguments
from keras_simmim.data.sources.file_plan import FilePlan
from keras_simmim.data.sources.listing import list_images
from keras_simmim.data.targets.file_masks import FileMasks

LOGGER = logging.getLogger("keras_simmim")


def segmentation_folder(
    images: str | os.PathLike[str],
    masks: str | os.PathLike[str],
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 16,
    *,
    class_names: Sequence[str] | None = None,
    training: bool = True,
    seed: int = 0,
    **shared: Unpack[FileArguments],
) -> tf.data.Dataset:
    """Batch the image files of a folder, and the masks that another folder has for them.

    The mask of `images/park/7.jpg` is `masks/park/7.png`: a PNG, gray or with a palette, of which
    the numbers count and not the colors; 255 is a pixel that is left out of losses and metrics. It
    has as many pixels as the image has as it is looked at, so that the mask of a photograph which
    its EXIF turns is turned too: it has the same EXIF, or was drawn on the turned image.

    Args:
        images: the folder of the images, and of folders with more of them.
        masks: the folder of the masks.
        image_size: side or `(height, width)` of the results, in pixels; None takes that of `crop`.
        batch_size: images in a batch, over all shards.
        class_names: names of the classes 0, 1, …, or None.
        training: True for a new order, random crops and flips in every epoch, the same for an image
            and its mask; False for the sorted order and the whole images.
        seed: seed of order, crops, flips, `limit` and `validation_split`.
        **shared: what all sources of files take, see `ks.data.FileArguments`: `limit`,
            `validation_split` and `subset`, `channels`, `on_error`, `crop` and others.

    Returns:
        A `tf.data.Dataset` of pairs of uint8 images (batch, height, width, channels) and uint8
        masks (batch, height, width). Outside of a mask is 255. It has the attributes `class_names`
        (list or None), `file_paths` (the images, in the order of `training=False`), `image_count`
        and `broken_files`, a dictionary from path to reason that fills as broken files are met:
        images or masks that cannot be read, and masks of another size. Images without a mask and
        masks without an image are left out with a warning that names one.

    Raises:
        FileNotFoundError: if there is nothing at one of the paths.
        NotADirectoryError: if one is no folder.
        ValueError: if two images or two masks differ in their extension alone, a mask is no PNG, no
            image has a mask, none is intact, an argument is out of bounds, or arguments contradict
            each other.
        TypeError: if an argument has another type.

    Example:
    ```python
    from pathlib import Path
    import keras
    import numpy as np
    import keras_simmim as ks

    for folder in ("photographs", "masks"):
        Path(folder).mkdir()
    zones = np.random.default_rng(0).integers(0, 6, (40, 50, 1))
    keras.utils.save_img("photographs/1.png", 50 * zones, scale=False)
    keras.utils.save_img("masks/1.png", zones, scale=False)
    dataset = ks.data.segmentation_folder("photographs", "masks", (40, 50), training=False)
    images, masks = next(iter(dataset))
    tuple(images.shape), tuple(masks.shape)   # (1, 40, 50, 3), (1, 40, 50)
    ```
    """
    plan = FilePlan.from_arguments(
        image_size, batch_size, training=training, seed=seed, dense=True, **shared
    )
    names = None if class_names is None else arguments.as_names("class_names", class_names)
    images, masks = arguments.as_path("images", images), arguments.as_path("masks", masks)
    unreadable: dict[str, str] = {}
    found = {
        name: _by_stem(folder, name, unreadable)
        for name, folder in (("images", images), ("masks", masks))
    }
    pairs = [
        (path, found["masks"][stem])
        for stem, path in found["images"].items()
        if stem in found["masks"]
    ]
    _warn("images have no mask", found["images"], found["masks"])
    _warn("masks have no image", found["masks"], found["images"])
    if not pairs:
        raise ValueError(
            f"none of the {len(found['images'])} images under {images!r} has a mask under "
            f"{masks!r}: the mask of a/7.jpg must be a/7.png, but of "
            f"{next(iter(found['images'].values()))!r} there is none."
        )
    pairs = [pairs[index] for index in plan.choose([0] * len(pairs))]
    targets = FileMasks([mask for _, mask in pairs])
    return plan.batched([image for image, _ in pairs], targets, names, unreadable)


def _by_stem(folder: str, name: str, unreadable: dict[str, str]) -> dict[str, str]:
    """Return the files under a folder, by their paths in it without extension."""
    files: dict[str, str] = {}
    for path in list_images(folder, False, unreadable, name=name, encoded=name == "masks").paths:
        stem = os.path.splitext(os.path.relpath(path, folder))[0]
        if stem in files:
            raise ValueError(
                f"{name} must differ in more than their extensions, got {files[stem]!r} and "
                f"{path!r}."
            )
        if name == "masks" and not path.lower().endswith(".png"):
            raise ValueError(f"masks must be PNGs, got {path!r}.")
        files[stem] = path
    return files


def _warn(what: str, files: dict[str, str], others: dict[str, str]) -> None:
    """Log how many files have no counterpart, if there are any, and the first of them."""
    alone = [path for stem, path in files.items() if stem not in others]
    if alone:
        LOGGER.warning("Left out: %d %s, first %r.", len(alone), what, alone[0])
