"""The files of a folder and of the folders in it."""

import contextlib
import os
from collections.abc import Iterator


def files_under(path: str, unreadable: dict[str, str]) -> list[str]:
    """Return the files under a folder, sorted by name, but for hidden ones.

    Args:
        path: the folder.
        unreadable: gets the sub-folders that cannot be read, and the reasons.
    """
    return list(_walk(path, (os.path.realpath(path),), unreadable))


def visible(path: str) -> list[os.DirEntry[str]]:
    """Return what a folder holds and does not hide, sorted by name."""
    with os.scandir(path) as entries:
        visible = [entry for entry in entries if not entry.name.startswith(".")]
    return sorted(visible, key=lambda entry: entry.name)


def _walk(path: str, ancestors: tuple[str, ...], unreadable: dict[str, str]) -> Iterator[str]:
    """Yield the files under a folder, but for links back to the folders that lead there."""
    try:
        entries = visible(path)
    except OSError as error:
        if len(ancestors) == 1:
            raise
        unreadable[path] = f"the folder cannot be read: {error.strerror}"
        return
    for entry in entries:
        if not is_folder(entry):
            if _is_file(entry):
                yield entry.path
        elif (real := os.path.realpath(entry.path)) not in ancestors:
            yield from _walk(entry.path, (*ancestors, real), unreadable)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder, or a link to one."""
    # Links that lead to each other raise.
    with contextlib.suppress(OSError):
        return entry.is_dir()
    return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Return whether to list what is no folder; to read a pipe would take forever."""
    with contextlib.suppress(OSError):
        # A link that leads nowhere is a broken file, which the report should name.
        return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))
    return True
