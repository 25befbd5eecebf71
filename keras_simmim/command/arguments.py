"""What the arguments of several subcommands have in common."""

import argparse
import os
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keras_simmim.command.command_error import CommandError
from keras_simmim.command.start import BACKENDS


def subcommand(
    parsers: Any,
    name: str,
    run: Callable[[argparse.Namespace], None],
    does: str,
    more: str,
    examples: Sequence[str],
) -> argparse.ArgumentParser:
    """Make the parser of a subcommand, with what all have.

    Args:
        parsers: of the command.
        name: of the subcommand.
        run: does the work, given the options.
        does: what, in a few words.
        more: sentences about it.
        examples: lines to type, without the name of the command.
    """
    parser: argparse.ArgumentParser = parsers.add_parser(
        name,
        help=does,
        description=textwrap.fill(f"{does[0].upper()}{does[1:]}. {more}", 79),
        epilog="\n".join(["example:", *(f"  keras-simmim {line}" for line in examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    # Of the parser, what an error of it says.
    parser.set_defaults(run=run, refuse=parser.error, subcommand=name, trains=False)
    parser.add_argument("--debug", action="store_true", help="show where an error comes from")
    return parser


def add_backend(parser: argparse.ArgumentParser) -> None:
    """Add the choice of a backend."""
    parser.add_argument(
        "--backend", choices=BACKENDS, help="default: KERAS_BACKEND, else Keras' own settings"
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the model that is used."""
    parser.add_argument(
        "--model",
        required=True,
        metavar="RUN",
        help="a run's folder; also a .keras or .pth file, or hf://owner/name",
    )


def add_data(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the folder that is read."""
    parser.add_argument("--data", required=True, metavar="DIR", help=what)


def add_training(parser: argparse.ArgumentParser, batch_size: int | None = None) -> None:
    """Add how a run is trained; the batch size is the default."""
    parser.add_argument(
        "--epochs",
        type=at_least(1),
        metavar="N",
        help="passes over the images; default: by their number",
    )
    parser.add_argument(
        "--batch-size",
        type=at_least(1),
        default=batch_size,
        metavar="N",
        help=f"images of a step; default: {batch_size or 'by their number'}",
    )
    parser.add_argument("--seed", type=at_least(0), default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--overwrite", action="store_true", help="begin anew instead of going on with the run"
    )


def add_held_out(parser: argparse.ArgumentParser) -> None:
    """Add the share of the images that is not learned from."""
    parser.add_argument(
        "--held-out",
        type=share,
        default=0.2,
        metavar="SHARE",
        help="of the images, to measure on; default: 0.2",
    )


def add_image_size(parser: argparse.ArgumentParser) -> None:
    """Add the size of the images that a model of masks or boxes sees."""
    parser.add_argument(
        "--image-size",
        type=at_least(8),
        metavar="N",
        help="side, in pixels; larger sees smaller things; default: the pretrained model's",
    )


def names(text: str) -> list[str]:
    """Read names with commas between them."""
    return [name.strip() for name in text.split(",")]


def at_least(least: int) -> Callable[[str], int]:
    """Make a type of integers from a least one on."""

    def integer(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {value}")
        return value

    return integer


def share(text: str) -> float:
    """Read a number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1, got {text}")
    return value


def ending(*endings: str) -> Callable[[str], Path]:
    """Make a type of files with one of some endings."""

    def file(text: str) -> Path:
        if not text.lower().endswith(endings):
            raise argparse.ArgumentTypeError(f"must end in {' or '.join(endings)}, got {text!r}")
        return Path(text)

    return file


def check_folder(option: str, folder: str) -> None:
    """Raise CommandError for a folder that is not there."""
    if not os.path.exists(folder):
        raise CommandError(f"{option} {folder}: there is no such folder.")
    if not os.path.isdir(folder):
        raise CommandError(f"{option} {folder}: is a file, and must be a folder.")


def check_output(output: Path, data: str | None = None, option: str = "--data") -> None:
    """Make a folder to write to, or the one that a file lies in.

    Args:
        output: the folder, or a file with an ending.
        data: a folder that is read, among whose images no results may come to lie.
        option: that names it.

    Raises:
        CommandError: if nothing can be written there.
    """
    folder = (
        output.parent if output.suffix in (".npy", ".parquet", ".csv", ".json", ".onnx") else output
    )
    if data is not None and Path(data).resolve() in (output.resolve(), *output.resolve().parents):
        raise CommandError(
            f"--output {output}: lies in {option} {data}, among the images; choose another folder."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"--output {output}: cannot be made: {error.strerror}.") from error
    if not os.access(folder, os.W_OK):
        raise CommandError(f"--output {output}: cannot be written to; choose another folder.")
