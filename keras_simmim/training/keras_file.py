"""Reading of models in Keras' own format, without running what a file may hold."""

import os
import zipfile
from pathlib import PurePosixPath
from typing import Any

import keras

# Keras stores what it writes; beyond this an archive of a few bytes would fill the memory.
_MOST_BYTES_FOR_A_BYTE = 100
_LEAST_BYTES_TO_COUNT = 2**20


def read_keras(path: str | os.PathLike[str]) -> Any:
    """Read a model that Keras saved.

    Keras refuses layers that hold code, such as Lambda, and builds nothing but its own and
    registered classes; its weights may not point into other files.

    Args:
        path: a `.keras` file.

    Raises:
        FileNotFoundError: if there is nothing at `path`.
        ValueError: for a file that is damaged or holds what is refused.
    """
    path = os.fspath(path)
    try:
        _check_archive(path)
        return keras.saving.load_model(path, safe_mode=True)
    except FileNotFoundError:
        raise
    except Exception as error:
        # Keras raises a dozen kinds for what is damaged, some with messages of pages.
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
        raise ValueError(f"{path} cannot be read as a Keras model: {reason}") from error


def _check_archive(path: str) -> None:
    """Raise for parts that are damaged, on which Keras reads on, or that reach out of the file."""
    with zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            place = PurePosixPath(part.filename.replace("\\", "/"))
            if place.is_absolute() or ".." in place.parts:
                raise ValueError(f"the part {part.filename!r} lies outside of it.")
            most = _MOST_BYTES_FOR_A_BYTE * part.compress_size
            if part.file_size > max(most, _LEAST_BYTES_TO_COUNT):
                raise ValueError(
                    f"the part {part.filename!r} has {part.compress_size} bytes and unfolds to "
                    f"{part.file_size}."
                )
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"the part {damaged!r} is damaged.")
