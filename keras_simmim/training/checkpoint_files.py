"""Checkpoints of a run on disk: one folder each, complete or not there at all."""

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from keras_simmim.training.run_state import RunState

MODEL, STATE = "model.keras", "run.json"
_FOLDER = re.compile(r"step-(\d{8,18})")
_ASIDE = re.compile(r"\.step-\d{8,18}\.(part|old)")


class DamagedError(ValueError):
    """Say why a checkpoint is not what was written."""


def checkpoints(directory: Path) -> dict[int, Path]:
    """List the checkpoints' folders by their steps, the oldest first."""
    if not directory.is_dir():
        return {}
    found = [(_FOLDER.fullmatch(path.name), path) for path in directory.iterdir()]
    return dict(sorted((int(match[1]), path) for match, path in found if match))


def newest_model(directory: Path) -> Path | None:
    """Find the model of the newest intact checkpoint of a run.

    Args:
        directory: of the run's checkpoints, or the one that has them in "checkpoints".

    Returns:
        The `.keras` file; None for a directory that has no checkpoints.

    Raises:
        ValueError: if all checkpoints are damaged, with the reason of each.
    """
    folder = directory if checkpoints(directory) else directory / "checkpoints"
    found = newest_intact(folder, lambda path, error: None)
    return None if found is None else found[0] / MODEL


def newest_intact(
    directory: Path, leave_out: Callable[[Path, DamagedError], None]
) -> tuple[Path, RunState] | None:
    """Find the newest checkpoint whose files are what was written, and read its state.

    Args:
        directory: of the run's checkpoints.
        leave_out: is told each newer one that is damaged, and why.

    Returns:
        Its folder and state; None for a directory without checkpoints.

    Raises:
        ValueError: if all checkpoints are damaged, with the reason of each.
    """
    reasons = []
    for path in reversed(checkpoints(directory).values()):
        try:
            return path, read_state(path)
        except DamagedError as error:
            reasons.append(f"{path}: {error}")
            leave_out(path, error)
    if reasons:
        raise ValueError("all checkpoints are damaged: " + " ".join(reasons))
    return None


def write(model: Any, directory: Path, epoch: int, batch: int) -> Path:
    """Write a checkpoint beside its place, wait for the disk, and rename it into place.

    Args:
        model: a compiled `SimMIM` or `ImageClassifier`.
        directory: of the run's checkpoints.
        epoch: number of the epoch that goes on from here.
        batch: how many of its batches are done.

    Returns:
        The checkpoint's folder.
    """
    state = RunState.of(model, epoch, batch)
    place = directory / f"step-{state.step:08d}"
    aside, old = (directory / f".{place.name}.{ending}" for ending in ("part", "old"))
    for left in (aside, old):
        shutil.rmtree(left, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        model.save(aside / MODEL)
        _remember_what_keras_leaves_out()
        content = {
            **dataclasses.asdict(state),
            "versions": {"keras": keras.version(), "backend": keras.backend.backend()},
            "model_sha256": _sha256(aside / MODEL),
        }
        content["sha256"] = _digest(content)
        (aside / STATE).write_text(json.dumps(content, indent=1), encoding="utf-8")
        for path in (aside / MODEL, aside / STATE, aside):
            _to_disk(path)
        if place.exists():
            os.rename(place, old)
        os.rename(aside, place)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    _to_disk(directory)
    shutil.rmtree(old, ignore_errors=True)
    return place


def remove_all_but(directory: Path, keep: int) -> None:
    """Remove all checkpoints but the newest `keep`."""
    for path in list(checkpoints(directory).values())[:-keep]:
        # Under its own name, a folder that is half removed would look like a checkpoint.
        old = path.with_name(f".{path.name}.old")
        os.rename(path, old)
        shutil.rmtree(old, ignore_errors=True)


def remove_unfinished(directory: Path) -> None:
    """Remove what a run left behind that was killed while saving."""
    if directory.is_dir():
        for path in directory.iterdir():
            if _ASIDE.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)


def read_state(path: Path) -> RunState:
    """Read the state of a checkpoint, after a check that its files are what was written.

    Raises:
        DamagedError: if they are not.
    """
    try:
        content = json.loads((path / STATE).read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.pop("sha256", None) != _digest(content):
            raise DamagedError(f"{STATE} is damaged: its checksum is another.")
        if content.get("model_sha256") != _sha256(path / MODEL):
            raise DamagedError(f"{MODEL} is damaged: its checksum is another.")
        return RunState.from_json(content)
    except DamagedError:
        raise
    except OSError as error:
        name = Path(error.filename or path).name
        raise DamagedError(f"{name} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise DamagedError(f"{STATE} is damaged: {reason}.") from error


def _remember_what_keras_leaves_out() -> None:
    """Let Keras reuse what it has worked out about the attributes that it does not save.

    Keras 3.15 stores it under one name and looks for it under another, so that it makes a layer
    for each layer, and an optimizer, at every save: on TensorFlow 72 kB that are never freed.
    """
    with contextlib.suppress(ImportError):
        from keras.src.backend.common import global_state

        for name, names in list(vars(global_state.GLOBAL_STATE_TRACKER).items()):
            if name.startswith("saving_attr_skipset_"):
                global_state.set_global_attribute(name.replace("skipset", "skiplist"), names)


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
