"""The images of a folder: paths, classes, and an even choice among them."""

import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from keras_simmim.data.arguments import as_choice
from keras_simmim.data.reading.formats import EXTENSIONS


class Listing(NamedTuple):
    """Hold the images of a folder.

    Attributes:
        paths: their paths, sorted.
        classes: the class of each, 0 without labels.
        class_names: names of the classes, or None.
        is_labeled: whether the classes mean anything.
    """

    paths: list[str]
    classes: list[int]
    class_names: list[str] | None
    is_labeled: bool

    def labeled(self, classes: np.ndarray) -> "Listing":
        """Return the same images with these classes (count,)."""
        return self._replace(classes=classes.tolist(), is_labeled=True)

    def chosen(self, indices: list[int]) -> "Listing":
        """Return the images of these indices."""
        return self._replace(
            paths=[self.paths[index] for index in indices],
            classes=[self.classes[index] for index in indices],
        )


def list_images(path: str, labeled: bool, unreadable: dict[str, str]) -> Listing:
    """List the images under a folder, sorted by name.

    Args:
        path: the folder.
        labeled: True to take the sub-folders as classes if all images lie in sub-folders.
        unreadable: gets the sub-folders that cannot be read, and the reasons.

    Returns:
        The images.

    Raises:
        FileNotFoundError: if there is nothing at `path`.
        NotADirectoryError: if `path` is no folder.
        ValueError: if there is no image, or if images lie both beside and in sub-folders.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(f"path must be a folder of images, found nothing at {path!r}.")
    if not os.path.isdir(path):
        raise NotADirectoryError(f"path must be a folder of images, got the file {path!r}.")
    files = list(_walk(path, (os.path.realpath(path),), unreadable))
    images = [file for file in files if file.lower().endswith(EXTENSIONS)]
    if not images:
        raise ValueError(_nothing_found(path, files))
    folders = [entry.name for entry in _visible(path) if _is_folder(entry)]
    parts = [os.path.relpath(image, path).split(os.sep) for image in images]
    direct = sum(len(part) == 1 for part in parts)
    if not labeled or direct == len(images):
        return Listing(images, [0] * len(images), None, is_labeled=False)
    if direct:
        raise ValueError(
            f"path {path!r} holds {direct} images beside its sub-folders and "
            f"{len(images) - direct} in them: pass labels=None to take all without labels."
        )
    index = {name: number for number, name in enumerate(folders)}
    return Listing(images, [index[part[0]] for part in parts], folders, is_labeled=True)


def choose_evenly(classes: list[int], limit: int, seed: int) -> list[int]:
    """Return `limit` sorted indices at most: random ones, as many from each class as can be."""
    generator = np.random.default_rng(seed % 2**64)
    rank = np.empty(len(classes), np.int64)
    labels = np.asarray(classes)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rank[generator.permutation(members)] = np.arange(len(members))
    # One of each class, then a second of each: ties among the last go to random classes.
    order = np.lexsort((generator.permutation(len(classes)), rank))
    return sorted(order[:limit].tolist())


def choose_subset(
    classes: list[int], validation_split: float | None, subset: str | None, seed: int
) -> list[int]:
    """Return the sorted indices of one side of a split, which takes evenly from the classes."""
    as_choice("subset", subset, ("training", "validation"))
    if not isinstance(validation_split, float) or not 0 < validation_split < 1:
        raise ValueError(
            f"validation_split must be a number with 0 < split < 1, got {validation_split!r}."
        )
    if len(classes) < 2:
        raise ValueError(f"validation_split needs at least 2 images to split, got {len(classes)}.")
    # Of n images of a class the i-th is held out where i·split passes a whole number.
    generator = np.random.default_rng(seed % 2**64)
    labels = np.asarray(classes)
    order = np.lexsort((generator.permutation(len(classes)), labels))
    crossings = np.floor((np.arange(len(classes)) + 1) * validation_split + 1e-9)
    held_out = np.diff(crossings, prepend=0.0) > 0
    if not held_out.any():
        held_out[-1] = True
    return sorted(order[held_out == (subset == "validation")].tolist())


def _visible(path: str) -> list[os.DirEntry[str]]:
    """Return what a folder holds and does not hide, sorted by name."""
    with os.scandir(path) as entries:
        visible = [entry for entry in entries if not entry.name.startswith(".")]
    return sorted(visible, key=lambda entry: entry.name)


def _walk(path: str, ancestors: tuple[str, ...], unreadable: dict[str, str]) -> Iterator[str]:
    """Yield the files under a folder, but for links back to the folders that lead there."""
    try:
        entries = _visible(path)
    except OSError as error:
        if len(ancestors) == 1:
            raise
        unreadable[path] = f"the folder cannot be read: {error.strerror}"
        return
    for entry in entries:
        if not _is_folder(entry):
            if _is_file(entry):
                yield entry.path
        elif (real := os.path.realpath(entry.path)) not in ancestors:
            yield from _walk(entry.path, (*ancestors, real), unreadable)


def _is_folder(entry: os.DirEntry[str]) -> bool:
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


def _nothing_found(path: str, files: list[str]) -> str:
    """Return the message of an error for a folder without images."""
    wanted = f"no images under {path!r}: looked for {', '.join(EXTENSIONS)}"
    if not files:
        return f"{wanted}; found no files at all."
    endings = Counter(os.path.splitext(file)[1].lower() or "no extension" for file in files)
    common = ", ".join(f"{ending} ({number})" for ending, number in endings.most_common(5))
    return f"{wanted}; found {common}."
