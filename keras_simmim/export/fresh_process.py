"""Calls on the TensorFlow backend: in this process, or on a copy of the model in a fresh one."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np


def on_tensorflow(
    write: Callable[..., None], model: keras.Model, path: Path, **arguments: Any
) -> None:
    """Call `write(model, path, **arguments)` on the TensorFlow backend.

    Keras cannot change its backend: under JAX and torch, the model is saved and a fresh process
    on TensorFlow opens it, on the CPU, since this process may hold the GPU's memory.

    Args:
        write: a function of a module of this package.
        model: to export.
        path: to write to.
        **arguments: what JSON can hold, and arrays.

    Raises:
        ValueError: for a layer whose class no other process can import.
        RuntimeError: if the fresh process failed, with its reason.
    """
    if keras.backend.backend() == "tensorflow":
        write(model, path, **arguments)
        return
    task = {
        "write": _address(write),
        "path": str(path.absolute()),
        "classes": custom_classes(model),
        "arguments": {k: v for k, v in arguments.items() if not isinstance(v, np.ndarray)},
    }
    arrays = {k: v for k, v in arguments.items() if isinstance(v, np.ndarray)}
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "model.keras"))
        for name, array in arrays.items():
            np.save(Path(folder, f"{name}.npy"), array)
        Path(folder, "task.json").write_text(json.dumps(task))
        run(Path(folder))


def run(folder: Path) -> None:
    """Perform the task that a folder describes, in a fresh process on TensorFlow.

    Raises:
        RuntimeError: if it failed, with its reason.
    """
    environment = {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path),
    }
    command = [sys.executable, "-m", "keras_simmim.export", str(folder)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.returncode != 0:
        reason = folder / "error.txt"
        text = reason.read_text() if reason.exists() else result.stderr[-2000:]
        raise RuntimeError(f"The export on the TensorFlow backend failed: {text}")


def perform(folder: Path) -> None:
    """Perform the task that a folder describes, in this process, which is the fresh one."""
    task = json.loads((folder / "task.json").read_text())
    classes = {kind.__name__: kind for kind in map(_at, task["classes"])}
    # The model was written by the process that started this one: there is no stranger to trust.
    model = keras.saving.load_model(
        folder / "model.keras", custom_objects=classes, compile=False, safe_mode=False
    )
    arrays = {file.stem: np.load(file) for file in folder.glob("*.npy")}
    _at(task["write"])(model, Path(task["path"]), **task["arguments"], **arrays)


def custom_classes(model: keras.Model) -> list[str]:
    """List the addresses of layer classes that neither Keras nor this library defines.

    Raises:
        ValueError: for a class that cannot be imported.
    """
    found: dict[str, None] = {}
    for layer in model._flatten_layers():
        kind = type(layer)
        if kind.__module__.partition(".")[0] not in ("keras", "keras_simmim"):
            if kind.__module__ == "__main__" or "<locals>" in kind.__qualname__:
                raise ValueError(
                    f"model has a layer {layer.name!r} of the class {kind.__qualname__}, which "
                    "only this process knows. Export goes through a fresh process on TensorFlow: "
                    "move the class to a module that can be imported, or train on TensorFlow."
                )
            found[_address(kind)] = None
    return list(found)


def _address(named: Any) -> str:
    return f"{named.__module__}:{named.__qualname__}"


def _at(address: str) -> Any:
    module, _, name = address.partition(":")
    found = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found
