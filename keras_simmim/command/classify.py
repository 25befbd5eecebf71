"""keras-simmim classify: the class of every image of a folder."""

import argparse
import csv
import os
from pathlib import Path
from typing import Any

from keras_simmim.command import arguments, start
from keras_simmim.command.command_error import CommandError
from keras_simmim.command.opened import files_of_rows, open_model, plain_images
from keras_simmim.command.written_whole import written_whole


def add(parsers: Any) -> None:
    """Add the subcommand."""
    parser = arguments.subcommand(
        parsers,
        "classify",
        run,
        "name the class of every image of a folder",
        "FILE.csv gets a line for each image: its name, its class, and how probable that is. "
        "Broken images are named and left out.",
        ["classify --model runs/classes --data new_photos --output classes.csv"],
    )
    arguments.add_model(parser)
    arguments.add_data(parser, "a folder of images, in sub-folders or not")
    parser.add_argument(
        "--output",
        required=True,
        type=arguments.ending(".csv"),
        metavar="FILE.csv",
        help="new file",
    )
    parser.add_argument("--batch-size", type=arguments.at_least(1), default=64, metavar="N")
    arguments.add_backend(parser)


def run(options: argparse.Namespace) -> None:
    """Classify."""
    arguments.check_folder("--data", options.data)
    arguments.check_output(options.output)
    start.load(options.backend, debug=options.debug)
    from keras_simmim.command.progress import shown

    model = open_model(options.model)
    # Segmenters see whole images, and name the class of each pixel.
    if model.predicted != "probabilities" or model.num_classes is None or model.sees_whole:
        raise CommandError(
            f"--model {options.model}: names no classes; `keras-simmim finetune` makes one that "
            "does."
        )
    names = model.class_names or [str(number) for number in range(model.num_classes)]
    dataset = plain_images(options.data, model, options.batch_size, labels=None)
    probabilities = shown(dataset, lambda images: model.predict(images, verbose=0))
    with (
        written_whole(options.output) as aside,
        aside.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        rows = csv.writer(file)
        rows.writerow(["file", "class", "probability"])
        for path, found in zip(files_of_rows(dataset), probabilities, strict=True):
            name = Path(os.path.relpath(path, options.data)).as_posix()
            rows.writerow([name, names[found.argmax()], f"{found.max():.4f}"])
    print(f"{options.output}: {len(probabilities)} images, their classes and probabilities.")
