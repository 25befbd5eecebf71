"""The images of a folder: their paths and classes."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_simmim.data.reading.file_kinds import ARRAY, readable_endings
from keras_simmim.data.reading.formats import EXTENSIONS
from keras_simmim.data.sources.files_under import files_under, is_folder, visible
from keras_simmim.data.sources.left_out import nothing_found, warn_of_folders, warn_of_images


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


def list_images(
    path: str,
    labeled: bool,
    unreadable: dict[str, str],
    class_names: Sequence[str] | None = None,
    name: str = "path",
    encoded: bool = False,
) -> Listing:
    """List the images under a folder, sorted by name, and log what is left out.

    Args:
        path: the folder.
        labeled: True to take the sub-folders with images as classes if all images lie in
            sub-folders.
        unreadable: gets the sub-folders that cannot be read, and the reasons.
        class_names: the classes in the order of their labels, if not that of their names.
        name: what errors call the folder's argument.
        encoded: whether to list what TensorFlow's readers read alone.

    Returns:
        The images.

    Raises:
        FileNotFoundError: if there is nothing at `path`.
        NotADirectoryError: if `path` is no folder.
        ImportError: if there are no images but those that need a package that is not there.
        ValueError: if there is no image, if images lie both beside and in sub-folders, or if
            `class_names` lacks one of these.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(f"{name} must be a folder of images, found nothing at {path!r}.")
    if not os.path.isdir(path):
        raise NotADirectoryError(f"{name} must be a folder of images, got the file {path!r}.")
    files = files_under(path, unreadable)
    endings = EXTENSIONS if encoded else readable_endings()
    images = without_companions([file for file in files if file.lower().endswith(endings)])
    if not images:
        raise nothing_found(path, files, endings)
    listed = set(images)
    warn_of_images(path, [file for file in files if file not in listed], endings)
    parts = [os.path.relpath(image, path).split(os.sep) for image in images]
    direct = sum(len(part) == 1 for part in parts)
    if not labeled or direct == len(images):
        if class_names is not None:
            raise ValueError(
                f"class_names needs labels='auto' and images in sub-folders of {path!r}, got "
                f"{list(class_names)!r} without them."
            )
        return Listing(images, [0] * len(images), None, is_labeled=False)
    if direct:
        raise ValueError(
            f"path {path!r} holds {direct} images beside its sub-folders and "
            f"{len(images) - direct} in them: pass labels=None to take all without labels."
        )
    found = sorted({part[0] for part in parts})
    names = found if class_names is None else list(class_names)
    if missing := [name for name in found if name not in names]:
        raise ValueError(
            f"class_names must hold all folders with images in {path!r}, got {names!r} without "
            f"{missing!r}."
        )
    folders = [entry.name for entry in visible(path) if is_folder(entry)]
    warn_of_folders(path, [name for name in folders if name not in names])
    index = {name: number for number, name in enumerate(names)}
    return Listing(images, [index[part[0]] for part in parts], names, is_labeled=True)


def without_companions(paths: list[str]) -> list[str]:
    """Leave out arrays that lie beside an image of the same name, such as its features or depth."""

    def is_array(path: str) -> bool:
        return path.lower().endswith(ARRAY.endings)

    stems = {os.path.splitext(path)[0] for path in paths if not is_array(path)}
    return [path for path in paths if not is_array(path) or os.path.splitext(path)[0] not in stems]
