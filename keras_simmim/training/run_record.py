"""The record of a run: command, settings, versions, state of the code, machine."""

import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from keras_simmim.backend import devices

PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "jax", "jaxlib", "torch", "numpy")


def record_run(
    path: str | os.PathLike[str], settings: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Write a JSON file that says what is about to run, and on which machine.

    It holds the time, the command, the settings, the backend and precision, the versions of
    Python, Keras, the backends, NumPy and this library, the git commit of the working directory
    and how many of its files differ from it, the processor, memory and accelerators; and nothing
    of the environment's variables. A file that is there already, as in a resumed run, becomes the
    entry `earlier` of the new one.

    Args:
        path: the file, such as "runs/first/run.json"; its folder is made.
        settings: names and values that define the run, such as the options of a command.

    Returns:
        What was written.

    Raises:
        ValueError: if there is a file at the path that is not JSON.

    Example:
    ```python
    import keras_simmim as ks

    record = ks.training.record_run("runs/first/run.json", {"seed": 0})
    record["settings"]   # {'seed': 0}
    ```
    """
    path = Path(path)
    record: dict[str, Any] = {
        "started": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "command": shlex.join(sys.argv),
        "backend": keras.backend.backend(),
        "precision": keras.config.dtype_policy().name,
        "settings": dict(settings or {}),
        "versions": _versions(),
        "git": _git(Path.cwd()),
        "hardware": _hardware(),
    }
    if path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
            record["earlier"] = [*before.pop("earlier", []), before]
        except (ValueError, AttributeError, TypeError) as error:
            raise ValueError(f"path must be a new file or a run's record, got {path}.") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    aside.write_text(json.dumps(record, indent=2, default=str), encoding="utf-8")
    os.replace(aside, path)
    # As it will be read again: paths are texts, tuples are lists.
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _versions() -> dict[str, str]:
    package = sys.modules[__name__.partition(".")[0]]
    found = {"keras_simmim": package.__version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _git(folder: Path) -> dict[str, Any] | None:
    """Return the commit and the number of changed files of a folder's repository, or None."""

    def ask(*arguments: str) -> str:
        return subprocess.run(
            ["git", "--no-optional-locks", "-C", folder, *arguments],
            capture_output=True,
            check=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
        ).stdout

    try:
        commit, changes = ask("rev-parse", "HEAD"), ask("status", "--porcelain")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit.strip(), "changed_files": len(changes.splitlines())}


def _hardware() -> dict[str, Any]:
    hardware: dict[str, Any] = {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "devices": devices.device_names(),
    }
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        hardware["memory"] = f"{memory / 2**30:.1f} GiB"
    return hardware


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor()
