"""keras-simmim evaluate: what a pretrained network knows of labeled images."""

import argparse
import json
from typing import Any

from keras_simmim.command import arguments, start
from keras_simmim.command.opened import open_model
from keras_simmim.command.written_whole import written_whole


def add(parsers: Any) -> None:
    """Add the subcommand."""
    parser = arguments.subcommand(
        parsers,
        "evaluate",
        run,
        "measure what a model knows of labeled images",
        "Their sub-folder is their class, and nothing is fine-tuned: neighbors and a linear probe "
        "name images that are held out, beside what colors alone tell. Of images "
        "without classes, it is measured whether their embeddings have collapsed.",
        ["evaluate --model runs/photos --data labeled_photos"],
    )
    arguments.add_model(parser)
    arguments.add_data(parser, "a folder with a sub-folder of images for each class")
    arguments.add_held_out(parser)
    parser.add_argument("--seed", type=arguments.at_least(0), default=0, metavar="N")
    parser.add_argument(
        "--output", type=arguments.ending(".json"), metavar="FILE.json", help="keep the figures"
    )
    parser.add_argument("--batch-size", type=arguments.at_least(1), default=64, metavar="N")
    arguments.add_backend(parser)


def run(options: argparse.Namespace) -> None:
    """Evaluate."""
    arguments.check_folder("--data", options.data)
    if options.output:
        arguments.check_output(options.output)
    start.load(options.backend, debug=options.debug)
    from keras_simmim.command.measures import measured

    model = open_model(options.model)
    found = measured(model, options)
    if options.output:
        told = {"model": options.model, "data": options.data, "seed": options.seed, **found}
        with written_whole(options.output) as aside:
            aside.write_text(json.dumps(told, indent=2), encoding="utf-8")
