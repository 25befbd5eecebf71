"""What `keras-simmim detect` does: learn from boxes, and write boxes."""

import argparse
import json
import os
from typing import Any

import keras
import numpy as np

from keras_simmim import data as sources
from keras_simmim.command.command_error import CommandError
from keras_simmim.command.fine_tuning import Task, fine_tune, sized
from keras_simmim.command.opened import files_of_rows, looked_at_size, plain_images, values_of
from keras_simmim.command.start import is_installed
from keras_simmim.command.written_whole import written_whole
from keras_simmim.evaluation import DetectionQuality
from keras_simmim.models import SSD, YOLO, FasterRCNN, ObjectDetector

_DETECTORS = {"yolo": YOLO, "ssd": SSD, "faster_rcnn": FasterRCNN}
# What examples/detect.py measured with.
_NECK = 64

# What a run that goes on has in common with its beginning.
FIXED = ("data", "boxes", "model", "batch_size", "seed", "held_out", "detector", "image_size")


def learn(options: argparse.Namespace, source: Any) -> None:
    """Train a detector, or go on."""
    shape = sized(source, options)
    common: dict[str, Any] = {
        "image_size": shape[:2],
        "batch_size": options.batch_size,
        "seed": options.seed,
        **values_of(source),
    }
    split = {"validation_split": options.held_out or None}

    def read(**more: Any) -> Any:
        if options.boxes == "voc":
            return sources.pascal_voc(options.data, **common, **more)
        return sources.coco(options.boxes, options.data, **common, **more)

    held_out = None
    if options.held_out:
        split["subset"] = "training"
        held_out = read(training=False, **{**split, "subset": "validation"})
    plain = held_out or read(training=False)
    names = plain.class_names
    pictures, truth = keras.tree.map_structure(
        lambda values: values[:8], next(plain.as_numpy_iterator())
    )
    kind: Any = _DETECTORS[options.detector]

    def make() -> ObjectDetector:
        return kind.from_pretrained(
            source,
            len(names),
            shape,
            class_names=names,
            neck_width=_NECK,
            recipe="auto",
            seed=options.seed,
        )

    def measure(model: ObjectDetector) -> dict[str, Any]:
        if held_out is None:
            return {"classes": names}
        if not is_installed("pycocotools"):
            print("The mAP needs pycocotools: pip install 'keras-simmim[detection]'")
            return {"classes": names}
        found = dict(DetectionQuality(held_out)(model))
        print(
            f"Of {held_out.image_count} images held out, the mAP50 is {found['mAP50']:.3f}, the "
            f"mAP {found['mAP']:.3f}."
        )
        return {"classes": names, **found}

    task = Task(lambda **place: read(**split, **place), make, None, measure, pictures, truth)
    fine_tune(options, task, FIXED)


def write_boxes(options: argparse.Namespace, model: Any) -> None:
    """Write the objects in new images, in pixels of those, as COCO lists them."""
    if not isinstance(model, ObjectDetector):
        raise CommandError(
            f"--model {options.model}: is no detector, but a {type(model).__name__}; --boxes "
            "teaches it."
        )
    dataset = plain_images(options.data, model, options.batch_size, labels=None)
    files = files_of_rows(dataset)
    names = model.class_names or [str(number) for number in range(model.num_classes)]
    listed: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names)],
        "annotations": [],
    }
    for batch in dataset.as_numpy_iterator():
        for found in model.detect(batch, options.score):
            path = next(files)
            _list(listed, os.path.relpath(path, options.data), path, found, batch.shape[1:3])
    with written_whole(options.output) as aside:
        aside.write_text(json.dumps(listed, indent=1), encoding="utf-8")
    print(
        f"{options.output}: {len(listed['annotations'])} boxes in {len(listed['images'])} images, "
        f"of a score of {options.score:g} and more."
    )


def _list(
    listed: dict[str, list[dict[str, Any]]],
    name: str,
    path: str,
    found: dict[str, np.ndarray],
    size: tuple[int, int],
) -> None:
    """List an image and the boxes that were found in it, at the size that the model saw."""
    height, width = looked_at_size(path)
    number = len(listed["images"]) + 1
    listed["images"].append({"id": number, "file_name": name, "height": height, "width": width})
    factors = np.array([width / size[1], height / size[0]] * 2)
    for box, score, label in zip(
        *(found[key] for key in ("boxes", "scores", "labels")), strict=True
    ):
        left, top, right, bottom = (float(value) for value in box * factors)
        sides = [right - left, bottom - top]
        listed["annotations"].append(
            {
                "id": len(listed["annotations"]) + 1,
                "image_id": number,
                "category_id": int(label),
                "bbox": [round(value, 1) for value in (left, top, *sides)],
                "area": round(sides[0] * sides[1], 1),
                "score": round(float(score), 4),
                "iscrowd": 0,
            }
        )
