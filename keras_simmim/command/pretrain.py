"""keras-simmim pretrain: a network out of images without labels."""

import argparse
from pathlib import Path
from typing import Any

from keras_simmim.command import arguments, start
from keras_simmim.command.going_on import begins_anew, is_finished

_DATA = "a folder of images, in sub-folders or not; or tfds:NAME, a .tar or a .parquet file"

_PACKED = (".tar", ".parquet")


def add(parsers: Any) -> None:
    """Add the subcommand."""
    parser = arguments.subcommand(
        parsers,
        "pretrain",
        run,
        "pretrain a network on images without labels",
        "Size and length of training follow from the "
        "number of images, unless given. Ctrl-C leaves a run that the same command goes on with.",
        [
            "pretrain --data photos --output runs/photos",
            "pretrain --data photos --output runs/large --image-size 128 --epochs 100",
        ],
    )
    arguments.add_data(parser, _DATA)
    parser.add_argument(
        "--output", required=True, type=Path, metavar="RUN", help="folder of the run, made if new"
    )
    arguments.add_training(parser)
    parser.add_argument(
        "--image-size", type=arguments.at_least(8), metavar="N", help="side, in pixels"
    )
    parser.add_argument(
        "--patch-size",
        type=arguments.at_least(1),
        metavar="N",
        help="side of a patch, in pixels; finer ones help segment and detect",
    )
    parser.add_argument(
        "--reconstruct", action="store_true", help="learn to fill in, too: pictures in the report"
    )
    parser.add_argument(
        "--distribute", action="store_true", help="on all devices, and processes of torchrun"
    )
    arguments.add_backend(parser)


def run(options: argparse.Namespace) -> None:
    """Pretrain, or go on."""
    options.trains = True
    is_folder = not options.data.startswith("tfds:") and Path(options.data).suffix not in _PACKED
    folder = options.data if is_folder else None
    if folder is not None:
        arguments.check_folder("--data", folder)
    arguments.check_output(options.output, folder)
    start.load(options.backend, debug=options.debug)
    from keras_simmim import training
    from keras_simmim.pretraining import pretrain

    with training.stop_gently():
        if options.distribute:
            training.distribute().tell()
        begins_anew(options)
        asked = {"data": str(Path(folder)) if folder else options.data, "seed": options.seed}
        given = {"batch_size": options.batch_size, "patch_size": options.patch_size}
        given |= {"reconstruct": options.reconstruct or None}
        asked |= {name: value for name, value in given.items() if value is not None}
        if is_finished(options, asked | _shape(options)):
            return
        pretrain(
            options.data,
            epochs=options.epochs,
            output=options.output,
            image_size=options.image_size,
            batch_size=options.batch_size,
            patch_size=options.patch_size,
            reconstruct=options.reconstruct,
            seed=options.seed,
        )
    print(f"Finished. Look at {options.output / 'report.html'}; then, for example:")
    print(f"  keras-simmim embed --model {options.output} --data {options.data} --output FILE.npy")


def _shape(options: argparse.Namespace) -> dict[str, Any]:
    """Give the shape of the images of a run, as it would be with the size that is asked for."""
    from keras_simmim.pretraining import Run

    begun = Run.settings_of(options.output).get("image_shape")
    if begun is None or options.image_size is None:
        return {}
    return {"image_shape": [options.image_size, options.image_size, *begun[2:]]}
