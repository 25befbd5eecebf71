"""Whether a subcommand that trains begins, goes on, or has nothing left to do."""

import argparse
from collections.abc import Mapping
from typing import Any

from keras_simmim.command.command_error import CommandError


def begins_anew(options: argparse.Namespace) -> None:
    """Remove a run that is to be overwritten, or else take the length that it was begun with.

    Args:
        options: with `output`, `overwrite` and `epochs`, which is changed if it is None.

    Raises:
        CommandError: for a run that another subcommand began.
    """
    from keras_simmim.pretraining import Run

    if options.overwrite:
        Run.remove(options.output)
        return
    begun = Run.settings_of(options.output)
    # What `ks.pretrain` begins has none.
    task = begun.get("subcommand", "pretrain")
    if begun and task != options.subcommand:
        raise CommandError(
            f"--output {options.output}: holds a run of {task}; choose another folder, or "
            "--overwrite it."
        )
    if options.epochs is None:
        options.epochs = begun.get("epochs")


def is_finished(options: argparse.Namespace, settings: Mapping[str, Any]) -> bool:
    """Tell whether a run has nothing left to do, and if so, how it trains on.

    Args:
        options: with `output` and `epochs`.
        settings: that were asked for, by the names of the run's record.

    Raises:
        ValueError: for a run that was begun with others.
    """
    from keras_simmim.pretraining import Run

    Run.check(options.output, settings)
    done = Run.epochs_of(options.output)
    if done is None or options.epochs is None or done < options.epochs:
        return False
    if not Run.is_whole(options.output):
        return False
    print(
        f"{options.output} is finished, with {done} epochs. --epochs {2 * done} trains it on, "
        f"--overwrite begins anew. Its report: {options.output / 'report.html'}"
    )
    return True
