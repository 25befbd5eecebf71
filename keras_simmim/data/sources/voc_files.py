"""The images of a folder and the XMLs that belong to them."""

import logging
import os
from itertools import pairwise

from keras_simmim.data.sources.files_under import files_under
from keras_simmim.data.sources.listing import list_images
from keras_simmim.data.sources.voc_objects import VocObjects, read_objects

LOGGER = logging.getLogger("keras_simmim")


def find_objects(folder: str, unreadable: dict[str, str]) -> list[tuple[str, VocObjects]]:
    """Return the images with an XML and what that says of them, sorted by image.

    Args:
        folder: holds both, or `Annotations` and `JPEGImages`.
        unreadable: gets the folders that cannot be read, and the reasons.

    Raises:
        FileNotFoundError: if there is nothing at `folder`, or XMLs have no image.
        NotADirectoryError: if it is no folder.
        ValueError: if there is no image or no XML, an XML is damaged, or it is open which image an
            XML is of.
    """
    annotations, pictures = (os.path.join(folder, name) for name in ("Annotations", "JPEGImages"))
    if not os.path.isdir(annotations) or not os.path.isdir(pictures):
        annotations = pictures = folder
    images: dict[str, list[str]] = {}
    for path in list_images(pictures, False, unreadable, name="folder").paths:
        images.setdefault(_stem(path, pictures), []).append(path)
    files = [path for path in files_under(annotations, {}) if path.lower().endswith(".xml")]
    read = {path: read_objects(path) for path in files}
    listed = [objects for objects in read.values() if objects is not None]
    if not listed:
        raise ValueError(f"no XML of Pascal VOC under {annotations!r}.")
    pairs = [(_image(each, annotations, pictures, images), each) for each in listed]
    if missing := [each.xml for image, each in pairs if not image]:
        raise FileNotFoundError(
            f"{len(missing)} of {len(listed)} XMLs have no image under {pictures!r}, first "
            f"{missing[0]!r}."
        )
    pairs.sort(key=lambda pair: pair[0])
    for (image, one), (next_image, other) in pairwise(pairs):
        if image == next_image:
            raise ValueError(f"two XMLs are of the image {image!r}: {one.xml!r}, {other.xml!r}.")
    annotated = {image for image, _ in pairs}
    _warn("XMLs are no annotations", [path for path, objects in read.items() if not objects])
    _warn(
        "images have no XML",
        [path for paths in images.values() for path in paths if path not in annotated],
    )
    return pairs


def _stem(path: str, folder: str) -> str:
    """Return the path in a folder, without extension."""
    return os.path.splitext(os.path.relpath(path, folder))[0]


def _image(
    objects: VocObjects, annotations: str, pictures: str, images: dict[str, list[str]]
) -> str:
    """Return the image of an XML, "" if there is none."""
    stem = _stem(objects.xml, annotations)
    found = images.get(stem, [])
    if len(found) == 1:
        return found[0]
    stated = os.path.join(pictures, os.path.dirname(stem), objects.filename)
    if objects.filename and stated in images.get(_stem(stated, pictures), []):
        return stated
    if found:
        raise ValueError(f"two images may be those of {objects.xml!r}: {found[0]!r}, {found[1]!r}.")
    return ""


def _warn(what: str, paths: list[str]) -> None:
    """Log how many files are left out, if there are any, and the first of them."""
    if paths:
        LOGGER.warning("Left out: %d %s, first %r.", len(paths), what, paths[0])
