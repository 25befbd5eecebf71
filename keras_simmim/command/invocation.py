"""One subcommand after the other: what it was given, how it ends, and what is said then."""

import argparse
import contextlib
import os
import re
import shlex
import sys
from collections.abc import Sequence

from keras_simmim.command.command_error import CommandError
from keras_simmim.command.parser import new_parser

# What the library calls what the command has an option for.
_SAME_NAMES = "data image_size patch_size batch_size epochs seed masks version"
_SAME_NAMES += " reconstruct frozen detector model output"
_OPTIONS = {
    "path": "--data",
    "folder": "--data",
    "images": "--data",
    "json": "--boxes",
    "image_shape": "--image-size",
    **{name: f"--{name.replace('_', '-')}" for name in _SAME_NAMES.split()},
}


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: those of the process if None.

    Returns:
        The exit code: 0; 1 for a failure; 128 and the number of the signal that stopped it, which
        is 130 for Ctrl-C.

    Raises:
        SystemExit: with the code 2 for arguments that are wrong, with 0 for --help and --version.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    options, unknown = new_parser().parse_known_args(given)
    if unknown:
        options.refuse(f"unrecognized arguments: {' '.join(unknown)}")
    output = getattr(options, "output", None)
    made = None if output is None or output.exists() else output
    environment = os.environ.get("KERAS_BACKEND")
    options.debug = options.debug or bool(os.environ.get("KERAS_SIMMIM_DEBUG"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A bar or a file's name that the terminal cannot show is no reason to stop.
            stream.reconfigure(errors="replace")
    try:
        options.run(options)
    except KeyboardInterrupt as error:
        _say(_stopped(options, given, environment))
        return 128 + getattr(error, "signal", 2)
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if options.debug:
            raise
        _say(f"keras-simmim: {_on_one_line(error)}")
        if made is not None:
            with contextlib.suppress(OSError):
                # For what did not come to be, and only if nothing is in it.
                made.rmdir()
        return 1
    return 0


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _on_one_line(error: Exception) -> str:
    """Say what an error is, and that there is more to see if nobody expected it."""
    message = " ".join(str(error).split())
    if isinstance(error, CommandError):
        return message
    if isinstance(error, OSError) and error.strerror and error.filename:
        message = f"{error.filename}: {error.strerror}"
    # Messages begin with the argument that is wrong.
    found = re.match(r"(\w+)(?=:| must\b)", message)
    if found and found[1] in _OPTIONS:
        message = _OPTIONS[found[1]] + message[found.end() :]
    if isinstance(error, ImportError | OSError | ValueError | FloatingPointError):
        return message[:1000]
    return f"{type(error).__name__}: {message[:500]} (an error of ours? --debug shows where)"


def _stopped(options: argparse.Namespace, given: Sequence[str], backend: str | None) -> str:
    """Say what is left of a run that was stopped, and how it goes on.

    Args:
        options: of the subcommand.
        given: what they were read from.
        backend: KERAS_BACKEND as the command found it.
    """
    if not options.trains or "keras" not in sys.modules:
        return "Stopped."
    from keras_simmim.pretraining import Run

    if Run.epochs_of(options.output) is None:
        return "Stopped, before there was anything to keep."
    is_module = os.path.basename(sys.argv[0]) == "__main__.py"
    program = ["python", "-m", "keras_simmim"] if is_module else ["keras-simmim"]
    command = shlex.join([*program, *(each for each in given if each != "--overwrite")])
    if backend and not options.backend:
        command = f"KERAS_BACKEND={backend} {command}"
    return f"Stopped; {options.output} keeps what was learned. To go on, type:\n  {command}"
