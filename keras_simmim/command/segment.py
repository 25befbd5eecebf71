"""keras-simmim segment: a class for every pixel, learned from masks or written as masks."""

import argparse
from pathlib import Path
from typing import Any

from keras_simmim.command import arguments, start
from keras_simmim.command.going_on import begins_anew, is_finished
from keras_simmim.command.opened import open_model


def add(parsers: Any) -> None:
    """Add the subcommand."""
    parser = arguments.subcommand(
        parsers,
        "segment",
        run,
        "give every pixel a class: learn it, or write masks",
        "With --masks, a pretrained network learns it: the mask of "
        "photos/a/7.jpg is masks/a/7.png, whose values are the classes, 255 for pixels that do not "
        "count. Without, a network that learned it writes such masks of new images.",
        [
            "segment --model runs/photos --data photos --masks masks --output runs/segmenter",
            "segment --model runs/segmenter --data new_photos --output new_masks",
        ],
    )
    arguments.add_model(parser)
    arguments.add_data(parser, "a folder of images, in sub-folders or not")
    parser.add_argument("--masks", metavar="DIR", help="folder of PNG masks, to learn from")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="of the new run, or of new masks"
    )
    parser.add_argument(
        "--class-names", type=arguments.names, metavar="A,B,…", help="of the classes 0, 1, …"
    )
    parser.add_argument("--decoder", choices=("unet", "fcn"), default="unet")
    arguments.add_training(parser, 16)
    arguments.add_held_out(parser)
    arguments.add_image_size(parser)
    arguments.add_backend(parser)


def run(options: argparse.Namespace) -> None:
    """Learn from masks, or write masks."""
    options.trains = options.masks is not None
    arguments.check_folder("--data", options.data)
    arguments.check_output(options.output, options.data)
    if options.trains:
        arguments.check_folder("--masks", options.masks)
        arguments.check_output(options.output, options.masks, "--masks")
    start.load(options.backend, debug=options.debug)
    from keras_simmim.command.segmenting import FIXED, learn, write_masks
    from keras_simmim.training import stop_gently

    if not options.trains:
        write_masks(options, open_model(options.model))
        return
    with stop_gently():
        begins_anew(options)
        if not is_finished(options, {name: getattr(options, name) for name in FIXED}):
            learn(options, open_model(options.model))
            print("Then, for example:")
            print(f"  keras-simmim segment --model {options.output} --data DIR --output MASKS")
