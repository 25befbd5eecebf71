"""keras-simmim detect: boxes around objects, learned from boxes or written as boxes."""

import argparse
from pathlib import Path
from typing import Any

from keras_simmim.command import arguments, start
from keras_simmim.command.command_error import CommandError
from keras_simmim.command.going_on import begins_anew, is_finished
from keras_simmim.command.opened import open_model

DETECTORS = ("yolo", "ssd", "faster_rcnn")


def add(parsers: Any) -> None:
    """Add the subcommand."""
    parser = arguments.subcommand(
        parsers,
        "detect",
        run,
        "find objects: learn it, or write boxes",
        "With --boxes, a pretrained network learns it, from a JSON in COCO's format "
        "or, with --boxes voc, from an XML beside each image as Pascal VOC has it. Without, a "
        "network that learned it writes the boxes in new images to a JSON in COCO's format.",
        [
            "detect --model runs/photos --data photos --boxes boxes.json --output runs/detector",
            "detect --model runs/detector --data new_photos --output found.json",
        ],
    )
    arguments.add_model(parser)
    arguments.add_data(parser, "a folder of images, in sub-folders or not")
    parser.add_argument("--boxes", metavar="FILE.json|voc", help="to learn from")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="PATH", help="folder of the new run, or JSON"
    )
    parser.add_argument("--detector", choices=DETECTORS, default="yolo", help="default: yolo")
    parser.add_argument(
        "--score",
        type=arguments.share,
        default=0.3,
        metavar="SHARE",
        help="least score of a box that is written; default: 0.3",
    )
    arguments.add_training(parser, 8)
    arguments.add_held_out(parser)
    arguments.add_image_size(parser)
    arguments.add_backend(parser)


def run(options: argparse.Namespace) -> None:
    """Learn from boxes, or write boxes."""
    options.trains = options.boxes is not None
    arguments.check_folder("--data", options.data)
    if options.trains and options.boxes != "voc" and not Path(options.boxes).is_file():
        raise CommandError(f"--boxes {options.boxes}: there is no such file.")
    if not options.trains and options.output.suffix != ".json":
        raise CommandError(
            f"--output {options.output}: must end in .json for the boxes in new images; to learn "
            "from boxes, add --boxes FILE.json or --boxes voc."
        )
    arguments.check_output(options.output, options.data if options.trains else None)
    start.load(options.backend, debug=options.debug)
    from keras_simmim.command.detecting import FIXED, learn, write_boxes
    from keras_simmim.training import stop_gently

    if not options.trains:
        write_boxes(options, open_model(options.model))
        return
    with stop_gently():
        begins_anew(options)
        if not is_finished(options, {name: getattr(options, name) for name in FIXED}):
            learn(options, open_model(options.model))
            print("Then, for example:")
            print(f"  keras-simmim detect --model {options.output} --data DIR --output FILE.json")
