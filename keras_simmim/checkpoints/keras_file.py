"""Models in Keras' own format, read without running what a file may hold."""

import os
import zipfile
from typing import Any

import keras


def read_keras(path: str | os.PathLike[str]) -> Any:
    """Read a model that Keras saved.

    Keras refuses layers that hold code, such as Lambda, and builds nothing but its own and
    registered classes.

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
        # Keras raises a dozen kinds for damaged files, and its message may be pages long.
        reason = str(error).strip().splitlines() or [""]
        raise ValueError(
            f"{path} cannot be read as a Keras model: {type(error).__name__}: {reason[0][:500]}"
        ) from error


def _check_archive(path: str) -> None:
    """Raise for an archive of which a part is not what was written: Keras reads on."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"{damaged!r} in it is damaged.")
