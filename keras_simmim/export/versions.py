"""Version folders, `NAME/1`, `NAME/2`, …: each appears complete or not at all."""

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from keras_simmim.data.arguments import as_integer


def check_version(directory: str | os.PathLike[str], version: int | None) -> None:
    """Raise for a version that exists already, before anything is computed.

    Raises:
        TypeError: for a version that is no integer, or a directory that is no path.
        ValueError: for a version below 1.
        FileExistsError: for a version that exists.
        NotADirectoryError: for a directory that is a file.
    """
    if not isinstance(directory, str | os.PathLike):
        raise TypeError(f"directory must be a path, got {directory!r}.")
    if Path(directory).exists() and not Path(directory).is_dir():
        raise NotADirectoryError(f"directory={os.fspath(directory)!r} is a file.")
    if version is not None:
        path = Path(directory) / str(as_integer("version", version, minimum=1))
        if path.exists():
            raise FileExistsError(
                f"version={version} exists already in {os.fspath(directory)!r}; it is never "
                "overwritten: give another version, None for the next one, or remove it."
            )


def publish(
    directory: str | os.PathLike[str], version: int | None, write: Callable[[Path], None]
) -> Path:
    """Write a version to a folder aside, and rename it to its number when it is complete.

    A name that starts with a dot is no number, so that a server that polls the directory does not
    see what is unfinished. If `write` fails, nothing is left of it.

    Args:
        directory: of the versions; made if there is none.
        version: a positive integer, or None for the one after the highest.
        write: gets an empty folder to write into.

    Returns:
        The folder of the version.

    Raises:
        FileExistsError: if another export took the version meanwhile.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    # Not `tempfile.mkdtemp`, whose folders a server under another user may not read.
    unfinished = directory / f".unfinished-{uuid.uuid4().hex}"
    unfinished.mkdir()
    try:
        write(unfinished)
        return _place(unfinished, directory, version)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _place(unfinished: Path, directory: Path, version: int | None) -> Path:
    """Rename the complete folder to its number, and return the path."""
    number = _highest(directory) + 1 if version is None else version
    while True:
        path = directory / str(number)
        try:
            # Fails where there are files; an empty folder that somebody made is no version.
            unfinished.rename(path)
        except OSError as error:
            if not path.exists():
                raise
            if version is not None:
                raise FileExistsError(f"version={version} was written meanwhile.") from error
            number += 1
        else:
            return path


def _highest(directory: Path) -> int:
    return max((int(path.name) for path in directory.iterdir() if path.name.isdecimal()), default=0)
