"""What `keras-simmim segment` does: learn from masks, and write masks."""

import argparse
import os
from pathlib import Path
from typing import Any

from PIL import Image

from keras_simmim import data as sources
from keras_simmim.command.command_error import CommandError
from keras_simmim.command.fine_tuning import Task, fine_tune, sized
from keras_simmim.command.opened import files_of_rows, looked_at_size, plain_images, values_of
from keras_simmim.command.written_whole import written_whole
from keras_simmim.data.target_values import IGNORED_PIXEL
from keras_simmim.evaluation import SegmentationQuality
from keras_simmim.evaluation.palette import palette
from keras_simmim.models import ImageSegmenter

# What examples/segment.py measured with.
_RATE, _NECK = 1e-3, 64

# What a run that goes on has in common with its beginning.
FIXED = ("data", "masks", "model", "batch_size", "seed", "held_out", "decoder", "image_size")


def learn(options: argparse.Namespace, source: Any) -> None:
    """Train a segmenter, or go on."""
    shape = sized(source, options)
    common: dict[str, Any] = {
        "image_size": shape[:2],
        "batch_size": options.batch_size,
        "seed": options.seed,
        "class_names": options.class_names,
        **values_of(source),
    }
    split = {"validation_split": options.held_out or None}

    def read(**more: Any) -> Any:
        return sources.segmentation_folder(options.data, options.masks, **common, **more)

    plain = read(training=False)
    names = options.class_names
    count = _count_classes(plain) if names is None else len(names)
    held_out = None
    if options.held_out:
        split["subset"] = "training"
        held_out = read(training=False, **{**split, "subset": "validation"})
    pictures, truth = next((held_out or plain).as_numpy_iterator())

    def make() -> ImageSegmenter:
        return ImageSegmenter.from_pretrained(
            source,
            count,
            shape,
            decoder=options.decoder,
            class_names=names,
            neck_width=_NECK,
            seed=options.seed,
        )

    def measure(model: ImageSegmenter) -> dict[str, Any]:
        if held_out is None:
            return {}
        found = dict(SegmentationQuality(held_out)(model))
        print(
            f"Of {held_out.image_count} images held out, the mean IoU is {found['mean_iou']:.3f}; "
            f"{found['pixel_accuracy']:.1%} of the pixels have their class."
        )
        return found

    task = Task(
        lambda **place: read(**split, **place),
        make,
        _RATE,
        measure,
        pictures[:8],
        truth[:8],
        [] if held_out is None else [SegmentationQuality(held_out)],
    )
    fine_tune(options, task, FIXED)


def _count_classes(plain: Any) -> int:
    """Count the classes of masks as read, from 0 to the highest that occurs."""
    highest = 0
    for _, masks in plain.as_numpy_iterator():
        highest = max(highest, int(masks.max(where=masks != IGNORED_PIXEL, initial=0)))
    if highest == 0:
        raise CommandError(
            "--masks: hold one class alone, of the value 0; --class-names names others."
        )
    print(f"The masks hold the classes 0 to {highest}.")
    return highest + 1


def write_masks(options: argparse.Namespace, model: Any) -> None:
    """Write the classes of the pixels of new images, as PNGs of the images' sizes."""
    if not isinstance(model, ImageSegmenter):
        raise CommandError(
            f"--model {options.model}: is no segmenter, but a {type(model).__name__}; --masks DIR "
            "teaches it."
        )
    dataset = plain_images(options.data, model, options.batch_size, labels=None)
    places = _places(dataset.file_paths, options)
    colors = palette(model.num_classes).tobytes()
    files = files_of_rows(dataset)
    for batch in dataset.as_numpy_iterator():
        for classes in model.segment(batch).astype("uint8"):
            path = next(files)
            height, width = looked_at_size(path)
            mask = Image.fromarray(classes, "P")
            mask.putpalette(colors)
            _save(mask.resize((width, height), Image.Resampling.NEAREST), places[path])
    written = len(dataset.file_paths) - len(dataset.broken_files)
    names = model.class_names or [str(number) for number in range(model.num_classes)]
    told = ", ".join(f"{number} {name}" for number, name in enumerate(names))
    print(f"{options.output}: {written} masks, as PNGs whose values are classes: {told}.")


def _places(paths: list[str], options: argparse.Namespace) -> dict[str, Path]:
    """Give each image the place of its mask: a/7.jpg that of a/7.png."""
    places = {
        path: (options.output / os.path.relpath(path, options.data)).with_suffix(".png")
        for path in paths
    }
    taken: dict[Path, str] = {}
    for path, place in places.items():
        if place in taken:
            raise CommandError(
                f"--data {options.data}: {path} and {taken[place]} would have the same mask; "
                "rename one of them."
            )
        taken[place] = path
    return places


def _save(mask: Image.Image, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(place) as aside:
        mask.save(aside, "PNG")
