"""A folder of objects in images, each image with an XML as Pascal VOC has it."""

import os
from collections.abc import Sequence
from typing import Unpack

import numpy as np
import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.sources.box_listing import BoxListing
from keras_simmim.data.sources.file_arguments import FileArguments
from keras_simmim.data.sources.file_plan import FilePlan
from keras_simmim.data.sources.voc_files import find_objects
from keras_simmim.data.sources.voc_objects import VocObjects
from keras_simmim.data.target_values import IGNORED_BOX


def pascal_voc(
    folder: str | os.PathLike[str],
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 16,
    *,
    class_names: Sequence[str] | None = None,
    max_boxes: int | None = None,
    training: bool = True,
    seed: int = 0,
    **shared: Unpack[FileArguments],
) -> tf.data.Dataset:
    """Batch images and the boxes of the objects in them, which an XML beside each image lists.

    `folder` holds both, in itself or in folders, or holds `Annotations` with the XMLs and
    `JPEGImages` with the images. An image has the name of its XML, or the one that the XML states.
    VOC counts pixels from 1 and its boxes hold their last pixels: (left, top, right, bottom) there
    is (left − 1, top − 1, right, bottom) here. An object that is marked as difficult has the label
    −2: neither learned nor measured. What reaches beyond the image is cut off.

    Args:
        folder: the folder.
        image_size: side or `(height, width)` of the results, in pixels; None takes that of `crop`.
        batch_size: images in a batch, over all shards.
        class_names: names of the objects in the order of their labels; None: those that are found,
            sorted.
        max_boxes: boxes given for each image, M; what an image has above it is left out with a
            warning. None: as many as the fullest image has, rounded up to a multiple of 8.
        training: True for a new order, random crops and flips in every epoch, the same for an image
            and its boxes; False for the sorted order and the whole images.
        seed: seed of order, crops, flips, `limit` and `validation_split`.
        **shared: what all sources of files take, see `ks.data.FileArguments`: `limit`,
            `validation_split` and `subset`, `channels`, `on_error`, `crop` and others.

    Returns:
        A `tf.data.Dataset` of pairs of uint8 images (batch, height, width, channels) and a
        dictionary of "boxes", float32 (batch, M, 4), (left, top, right, bottom) in pixels of the
        results, and "labels", int32 (batch, M): −1 pads, and is what a crop shows less than a
        quarter of. It has the attributes `class_names`, `file_paths` (in the order of
        `training=False`), `image_count` and `broken_files`, a dictionary from path to reason that
        fills as broken files are met, those of another size than the XML says among them. Images
        without an XML, and XMLs that are no annotations, are left out with a warning that names
        one.

    Raises:
        FileNotFoundError: if there is nothing at the path, or XMLs have no image.
        NotADirectoryError: if it is no folder.
        ValueError: if there is no XML, one is damaged, a box has no area, a name is not among
            `class_names`, there is no box at all or no intact image, an argument is out of bounds,
            or arguments contradict each other.
        TypeError: if an argument has another type.

    Source: Everingham and Winn, "The PASCAL Visual Object Classes Challenge 2012 Development Kit".

    Example:
    ```python
    from pathlib import Path
    import keras
    import numpy as np
    import keras_simmim as ks

    Path("trees").mkdir()
    keras.utils.save_img("trees/1.png", np.zeros((40, 50, 3)))
    corners = "<xmin>11</xmin><ymin>6</ymin><xmax>30</xmax><ymax>35</ymax>"
    tree = f"<object><name>oak</name><bndbox>{corners}</bndbox></object>"
    Path("trees/1.xml").write_text(f"<annotation>{tree}</annotation>")
    dataset = ks.data.pascal_voc("trees", (80, 100), training=False)
    images, objects = next(iter(dataset))
    objects["boxes"][0, 0].numpy().tolist()   # [20.0, 10.0, 60.0, 70.0]
    ```
    """
    plan = FilePlan.from_arguments(
        image_size, batch_size, training=training, seed=seed, dense=True, **shared
    )
    names = None if class_names is None else arguments.as_names("class_names", class_names)
    unreadable: dict[str, str] = {}
    found = find_objects(arguments.as_path("folder", folder), unreadable)
    paths, read = [image for image, _ in found], [objects for _, objects in found]
    return _listing(paths, read, names, unreadable).batched(plan, max_boxes)


def _listing(
    paths: list[str],
    read: Sequence[VocObjects],
    names: list[str] | None,
    unreadable: dict[str, str],
) -> BoxListing:
    """Return the objects of all images as arrays."""
    if names is None:
        names = sorted({name for objects in read for name in objects.names})
    for objects in read:
        if unknown := [name for name in objects.names if name not in names]:
            raise ValueError(
                f"class_names must hold the names of all objects, got {names!r} without "
                f"{unknown[0]!r}, which is in {objects.xml!r}."
            )
    labels = [
        IGNORED_BOX if is_difficult else names.index(name)
        for objects in read
        for name, is_difficult in zip(objects.names, objects.difficult, strict=True)
    ]
    counts = [len(objects.names) for objects in read]
    owners = np.repeat(np.arange(len(read)), counts)

    def name_of(place: int) -> str:
        owner = owners[place]
        return f"object {place - sum(counts[:owner]) + 1} of {read[owner].xml!r}"

    boxes = [box for objects in read for box in objects.boxes]
    return BoxListing(
        paths,
        np.array([objects.size for objects in read], np.int32),
        names,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(labels, np.int32),
        owners,
        name_of,
        unreadable,
    )
