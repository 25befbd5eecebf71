"""keras-simmim finetune: a classifier out of folders of classes."""

import argparse
from pathlib import Path
from typing import Any

from keras_simmim.command import arguments, start
from keras_simmim.command.command_error import CommandError
from keras_simmim.command.going_on import begins_anew, is_finished
from keras_simmim.command.opened import class_folders, has_classes, open_model, values_of

# What examples/finetune.py measured with.
_RATE, _CROP_SCALE = 5e-4, (0.6, 1.0)
_FIXED = ("data", "model", "batch_size", "seed", "held_out", "frozen")


def add(parsers: Any) -> None:
    """Add the subcommand."""
    parser = arguments.subcommand(
        parsers,
        "finetune",
        run,
        "teach a pretrained network classes",
        "They are the sub-folders of a folder. A fifth of the "
        "images is held out, and how many of them are named right is said. Ctrl-C leaves a run "
        "that the same command goes on with.",
        ["finetune --model runs/photos --data labeled_photos --output runs/classes"],
    )
    arguments.add_model(parser)
    arguments.add_data(parser, "a folder with a sub-folder of images for each class")
    parser.add_argument("--output", required=True, type=Path, metavar="RUN2", help="of the new run")
    arguments.add_training(parser, 32)
    arguments.add_held_out(parser)
    parser.add_argument("--frozen", action="store_true", help="train the last layer alone")
    arguments.add_backend(parser)


def run(options: argparse.Namespace) -> None:
    """Fine-tune, or go on."""
    options.trains = True
    arguments.check_folder("--data", options.data)
    arguments.check_output(options.output, options.data)
    start.load(options.backend, debug=options.debug)
    from keras_simmim.training import stop_gently

    with stop_gently():
        begins_anew(options)
        if not is_finished(options, {name: getattr(options, name) for name in _FIXED}):
            _fine_tune(options)


def _fine_tune(options: argparse.Namespace) -> None:
    from keras_simmim import data as sources
    from keras_simmim.command.fine_tuning import Task, fine_tune
    from keras_simmim.command.progress import shown
    from keras_simmim.evaluation import classification_scores
    from keras_simmim.models import ImageClassifier

    source = open_model(options.model)
    if not has_classes(options.data, source):
        raise CommandError(
            f"--data {options.data}: has no classes; put the images of each into a sub-folder."
        )
    if options.held_out == 1:
        raise CommandError("--held-out 1: leaves nothing to learn from.")
    plain, held_out = class_folders(source, options)
    names, (*size, _) = plain.class_names, source.backbone.image_shape
    split: dict[str, Any] = {}
    if held_out is not None:
        split = {"validation_split": options.held_out, "subset": "training"}

    def learned(**place: Any) -> Any:
        return sources.image_folder(
            options.data,
            batch_size=options.batch_size,
            crop=sources.RandomCrop(tuple(size), scale=_CROP_SCALE),
            seed=options.seed,
            cache="auto",
            **values_of(source),
            **split,
            **place,
        )

    def make() -> ImageClassifier:
        return ImageClassifier.from_pretrained(
            source,
            len(names),
            class_names=names,
            frozen=options.frozen,
            label_smoothing=0.1,
            seed=options.seed,
        )

    def measure(model: ImageClassifier) -> dict[str, Any]:
        if held_out is None:
            return {"classes": names}
        predicted, labels = shown(
            held_out, lambda images: model.predict(images, verbose=0).argmax(1), labels=True
        )
        scores = classification_scores(predicted, labels)
        low, high = scores["accuracy_interval"]
        print(
            f"Of {len(labels)} images held out, {scores['accuracy']:.1%} are named right "
            f"(95%: {low:.1%} to {high:.1%}); {scores['balanced_accuracy']:.1%} is the mean over "
            "the classes."
        )
        return {"classes": names, "held_out_images": len(labels), **scores}

    fine_tune(options, Task(learned, make, _RATE, measure), _FIXED)
    print("Then, for example:")
    print(f"  keras-simmim classify --model {options.output} --data DIR --output FILE.csv")
    print(f"  keras-simmim export --model {options.output} --output DIR")
