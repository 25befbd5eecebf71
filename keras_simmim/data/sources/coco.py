"""A data set of objects in images, listed as COCO lists them."""

import os
from collections.abc import Mapping, Sequence
from json import JSONDecodeError, load
from typing import Any, Unpack

import numpy as np
import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.sources.box_listing import BoxListing
from keras_simmim.data.sources.file_arguments import FileArguments
from keras_simmim.data.sources.file_plan import FilePlan
from keras_simmim.data.target_values import IGNORED_BOX


def coco(
    json: str | os.PathLike[str],
    images: str | os.PathLike[str],
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 16,
    *,
    max_boxes: int | None = None,
    training: bool = True,
    seed: int = 0,
    **shared: Unpack[FileArguments],
) -> tf.data.Dataset:
    """Batch images and the boxes of the objects in them, which a JSON in COCO's format lists.

    The ids of its categories become the labels 0, 1, … in order of the ids. A crowd
    (`"iscrowd": 1`) has the label −2: neither learned nor measured. What reaches beyond the image
    is cut off. Segmentations and key points are not read.

    Args:
        json: the file of the annotations.
        images: the folder in which it names the images.
        image_size: side or `(height, width)` of the results, in pixels; None takes that of `crop`.
        batch_size: images in a batch, over all shards.
        max_boxes: boxes given for each image, M; what an image has above it is left out with a
            warning. None: as many as the fullest image has, rounded up to a multiple of 8.
        training: True for a new order, random crops and flips in every epoch, the same for an image
            and its boxes; False for the order of the JSON and the whole images.
        seed: seed of order, crops, flips, `limit` and `validation_split`.
        **shared: what all sources of files take, see `ks.data.FileArguments`: `limit`,
            `validation_split` and `subset`, `channels`, `on_error`, `crop` and others.

    Returns:
        A `tf.data.Dataset` of pairs of uint8 images (batch, height, width, channels) and a
        dictionary of "boxes", float32 (batch, M, 4), (left, top, right, bottom) in pixels of the
        results, and "labels", int32 (batch, M): −1 pads, and is what a crop shows less than a
        quarter of. It has the attributes `class_names`, `file_paths` (in the order of
        `training=False`), `image_count` and `broken_files`, a dictionary from path to reason that
        fills as broken files are met, those of another size than the JSON says among them.

    Raises:
        FileNotFoundError: if there is no such JSON, or it names images that are not there.
        ValueError: if it is not in COCO's format, a box has no area, there is no box at all or no
            intact image, an argument is out of bounds, or arguments contradict each other.
        TypeError: if an argument has another type.

    Source: https://cocodataset.org/#format-data, "Object Detection".

    Example:
    ```python
    import json
    from pathlib import Path
    import keras
    import numpy as np
    import keras_simmim as ks

    Path("trees").mkdir()
    keras.utils.save_img("trees/1.png", np.zeros((40, 50, 3)))
    listed = {
        "images": [{"id": 3, "file_name": "1.png", "height": 40, "width": 50}],
        "categories": [{"id": 7, "name": "oak"}],
        "annotations": [{"id": 1, "image_id": 3, "category_id": 7, "bbox": [10, 5, 20, 30]}],
    }
    Path("trees.json").write_text(json.dumps(listed))
    dataset = ks.data.coco("trees.json", "trees", (80, 100), training=False)
    images, objects = next(iter(dataset))
    objects["boxes"][0, 0].numpy().tolist()   # [20.0, 10.0, 60.0, 70.0]
    ```
    """
    plan = FilePlan.from_arguments(
        image_size, batch_size, training=training, seed=seed, dense=True, **shared
    )
    listing = _read(arguments.as_path("json", json), arguments.as_path("images", images))
    return listing.batched(plan, max_boxes)


def _read(json: str, folder: str) -> BoxListing:
    """Return what a JSON lists."""
    with open(json, encoding="utf-8") as file:
        try:
            listed = load(file)
        except (JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"json {json!r} is no JSON: {error}.") from error
    parts = ("images", "categories", "annotations")
    if not isinstance(listed, dict) or not all(
        isinstance(listed.get(part), list) for part in parts
    ):
        raise ValueError(f"json {json!r} must be a dictionary of the lists {', '.join(parts)}.")
    pictures, categories, annotations = (listed[part] for part in parts)
    try:
        places = _places(json, "images", pictures)
        classes = _places(json, "categories", sorted(categories, key=lambda each: each["id"]))
        names = {each["id"]: each["name"] for each in categories}
        paths = [os.path.join(folder, each["file_name"]) for each in pictures]
        sizes = [[each.get("height") or 0, each.get("width") or 0] for each in pictures]
        crowds = [bool(each.get("iscrowd")) for each in annotations]
        boxes = [each["bbox"] for each in annotations]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"json {json!r} is not in COCO's format: {error!r}.") from error
    if missing := [path for path in paths if not os.path.isfile(path)]:
        raise FileNotFoundError(
            f"json {json!r} names {len(missing)} of {len(paths)} images that are not there, first "
            f"{missing[0]!r}."
        )
    if len(set(paths)) < len(paths):
        twice = next(path for place, path in enumerate(paths) if path in paths[:place])
        raise ValueError(f"json {json!r} must name each image once, got {twice!r} twice.")
    owners = _looked_up(json, annotations, "image_id", places)
    labels = _looked_up(json, annotations, "category_id", classes)
    corners = _as_corners(json, annotations, boxes)

    def name_of(place: int) -> str:
        return f"annotation {annotations[place].get('id')} of {paths[owners[place]]!r}"

    return BoxListing(
        paths,
        np.array(sizes, np.int32).reshape(-1, 2),
        [str(names[key]) for key in classes],
        corners,
        np.where(crowds, IGNORED_BOX, labels).astype(np.int32),
        owners,
        name_of,
        {},
    )


def _places(json: str, part: str, entries: Sequence[Mapping[str, Any]]) -> dict[Any, int]:
    """Return the places of entries by their ids."""
    places = {entry["id"]: place for place, entry in enumerate(entries)}
    if len(places) < len(entries):
        twice = next(e["id"] for place, e in enumerate(entries) if places[e["id"]] != place)
        raise ValueError(f"json {json!r} must number its {part}, got the id {twice!r} twice.")
    return places


def _looked_up(
    json: str, annotations: Sequence[Mapping[str, Any]], key: str, places: Mapping[Any, int]
) -> np.ndarray:
    """Return the places, int64 (T,), of what annotations name by ids."""
    for each in annotations:
        if each.get(key) not in places:
            raise ValueError(
                f"json {json!r}: annotation {each.get('id')} has the {key} {each.get(key)!r}, "
                "which is not listed."
            )
    return np.array([places[each[key]] for each in annotations], np.int64)


def _as_corners(json: str, annotations: Sequence[Mapping[str, Any]], boxes: Any) -> np.ndarray:
    """Return boxes (left, top, width, height) as float32 (left, top, right, bottom)."""
    for each, box in zip(annotations, boxes, strict=True):
        is_box = isinstance(box, list) and len(box) == 4
        if not is_box or not all(isinstance(number, int | float) for number in box):
            raise ValueError(
                f"json {json!r}: annotation {each.get('id')} must have a bbox of four numbers, got "
                f"{box!r}."
            )
    corners = np.array(boxes, np.float64).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    return corners.astype(np.float32)
