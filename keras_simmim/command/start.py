"""What happens before Keras is imported: the backend is chosen, and frameworks are made quiet."""

import importlib
import importlib.util
import json
import logging
import os
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

from keras_simmim.command.command_error import CommandError
from keras_simmim.command.noise import leave_out_noise

# In the order in which one is taken where nobody chose.
BACKENDS = ("tensorflow", "jax", "torch")
_PROGRAMS = ("keras-simmim", "keras-simmim.exe", "keras-simmim-script.py")
_PACKAGE = __name__.partition(".")[0]


def is_starting() -> bool:
    """Tell whether this process is the command, which has not chosen its backend yet.

    `import keras_simmim` imports Keras and a backend, which takes seconds; but for the command,
    the first import comes before it has read its arguments.
    """
    if sys.modules.get("keras"):
        return False
    if sys.argv[:1] == ["-m"]:
        # So it is called while Python looks for the module.
        flags = [value for flag, value in pairwise(sys.orig_argv) if _names_module(flag)]
        return flags[:1] == [_PACKAGE]
    return bool(sys.argv) and os.path.basename(sys.argv[0]) in _PROGRAMS


def _names_module(flag: str) -> bool:
    """Tell whether a flag of Python is -m, perhaps with others before it."""
    return flag.startswith("-") and not flag.startswith("--") and flag.endswith("m")


def load(backend: str | None, says: bool = True, debug: bool = False) -> None:
    """Import Keras and the library, with this backend or the one that the user's settings name.

    Args:
        backend: of `--backend`; None for that of KERAS_BACKEND, of Keras' own file of settings, or
            the first that is installed.
        says: whether to say which it is, in one line.
        debug: whether frameworks may say all they want.

    Raises:
        CommandError: for a backend that is not installed.
    """
    if "keras" in sys.modules:
        running = importlib.import_module("keras").backend.backend()
        if backend not in (None, running):
            raise CommandError(f"--backend {backend}: Keras runs on {running} in this process.")
        return
    chosen, reason = choose(backend)
    if not debug:
        _quiet()
    os.environ["KERAS_BACKEND"] = chosen
    importlib.import_module("keras")
    # What of it waited for this choice.
    importlib.reload(sys.modules[_PACKAGE])
    if not debug:
        # They set their own as they are imported.
        for name in ("absl", "tensorflow"):
            logging.getLogger(name).setLevel(logging.ERROR)
    if says:
        print(f"Backend: {chosen}, {reason}, on {devices()}.", flush=True)


def choose(backend: str | None) -> tuple[str, str]:
    """Choose a backend, and say why it is this one.

    Raises:
        CommandError: for one that is not installed, or where none is.
    """
    asked = [("--backend", backend), ("KERAS_BACKEND", os.environ.get("KERAS_BACKEND"))]
    for place, name in asked:
        if not name:
            continue
        if name not in BACKENDS:
            raise CommandError(f"{place} must be one of {', '.join(BACKENDS)}, got {name!r}.")
        if not is_installed(name):
            raise CommandError(f"{place} {name}: it is not installed; {how_to_get(name)}")
        return name, f"by {place}"
    file = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"), "keras.json")
    try:
        name = json.loads(file.read_text(encoding="utf-8"))["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        name = None
    if name in BACKENDS and is_installed(name):
        return name, "by Keras' own settings"
    for name in BACKENDS:
        if is_installed(name):
            return name, "which is installed"
    raise CommandError(f"no backend is installed; {how_to_get('tensorflow')}")


def is_installed(package: str) -> bool:
    """Tell whether a package can be imported, without importing it."""
    return importlib.util.find_spec(package) is not None


def how_to_get(backend: str) -> str:
    """Say which command installs a backend."""
    extra = "" if backend == "tensorflow" else f"[{backend}]"
    return f"pip install 'keras-simmim{extra}'"


def devices() -> str:
    """Name what the backend computes on."""
    from keras_simmim.backend import devices

    names = devices.device_names()
    return names[0] if len(names) == 1 else f"{len(names)} × {names[0]}"


def _quiet() -> None:
    """Let frameworks say nothing of themselves, and the library each thing once, on a line."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    leave_out_noise()
    warnings.showwarning = _show
    logger = logging.getLogger(_PACKAGE)
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("Note: %(message)s"))
        handler.addFilter(_Once())
        logger.addHandler(handler)
        logger.propagate = False


class _Once(logging.Filter):
    """Let each message pass once: a folder is listed several times."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a message is new."""
        message = record.getMessage()
        is_new = message not in self.said
        self.said.add(message)
        return is_new


def _show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning of the library on a line; those of frameworks are for programmers."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") in ("warnings", "_py_warnings"):
        frame = frame.f_back
    if frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        print(f"Note: {message}", file=sys.stderr)
