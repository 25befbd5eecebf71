"""The arguments of the command and of all its subcommands."""

import argparse

import keras_simmim
from keras_simmim.command import (
    classify,
    detect,
    doctor,
    embed,
    evaluate,
    export,
    finetune,
    pretrain,
    report,
    segment,
)

# In the order in which a person needs them.
_SUBCOMMANDS = (
    *(pretrain, embed, evaluate, finetune, classify),
    *(segment, detect, export, report, doctor),
)


def new_parser() -> argparse.ArgumentParser:
    """Make the parser; the options that it gives have `run`, which does the work."""
    parser = argparse.ArgumentParser(
        prog="keras-simmim",
        description="Pretrain image networks on your own images without labels, and use them.",
        epilog="first steps:\n"
        "  keras-simmim pretrain --data photos --output runs/photos\n"
        "  keras-simmim embed --model runs/photos --data photos --output photos.npy",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=keras_simmim.__version__)
    parsers = parser.add_subparsers(title="subcommands", metavar="COMMAND", required=True)
    for each in _SUBCOMMANDS:
        each.add(parsers)
    return parser
