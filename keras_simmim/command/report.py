"""keras-simmim report: the page of a run."""

import argparse
from pathlib import Path
from typing import Any

from keras_simmim.command import arguments, start
from keras_simmim.command.command_error import CommandError


def add(parsers: Any) -> None:
    """Add the subcommand."""
    parser = arguments.subcommand(
        parsers,
        "report",
        run,
        "write the page that shows a run",
        "It is RUN/report.html: curves, pictures, settings. It works while the run goes on, too.",
        ["report runs/photos"],
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="a run's folder")


def run(options: argparse.Namespace) -> None:
    """Write the report."""
    folder = options.run_folder
    arguments.check_folder("RUN", str(folder))
    if not (folder / "run.json").exists():
        raise CommandError(f"RUN {folder}: is no folder of a run, it has no run.json.")
    start.load(None, says=False, debug=options.debug)
    from keras_simmim import training

    print(training.write_report(folder))
