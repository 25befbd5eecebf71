"""Copies of large image files, no larger than crops of them need."""

import logging
import os
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras

from keras_simmim.backend import processes

LOGGER = logging.getLogger("keras_simmim")

# Shorter side of a copy by that of a crop: the smallest crops, of 0.15 of the area and 3:4, are a
# third as high as the image, so that none is read from fewer pixels than it has.
FACTOR = 3
# Files whose shorter side is so many times a copy's are worth one.
_WORTH = 1.5
_QUALITY = 95


def small_copies(paths: Sequence[str], root: Path, folder: Path, side: int) -> Path:
    """Copy images into a folder, the large ones made smaller, and leave out what cannot be read.

    Two crops of a JPEG of 12 megapixels took 0.20 s of a CPU core, in every epoch, those of its
    copy of 192 pixels 0.03 s (2026-11-28). Copies that are there are kept, those of files that are
    gone are removed. Of several processes that train together the first one writes, and all see
    the folder.

    Args:
        paths: of all images.
        root: the folder that they lie in.
        folder: of the copies, which lie in it as the images lie in `root`.
        side: shorter side of a copy, in pixels.

    Returns:
        The folder.
    """
    if processes.index() == 0:
        places = {path: folder / f"{os.path.relpath(path, root)}.jpg" for path in paths}
        for stale in set(folder.rglob("*.jpg")) - set(places.values()):
            stale.unlink()
        missing = {path: place for path, place in places.items() if not place.exists()}
        if missing:
            print(f"Small copies of {len(missing)} images are made once, in {folder}.", flush=True)
        bar = keras.utils.Progbar(
            len(missing) or None, verbose=int(sys.stdout.isatty()), unit_name="image"
        )
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(_copy, missing, missing.values(), [side] * len(missing)):
                bar.add(1)
    processes.wait()
    return folder


def is_worth_it(usual_side: int, side: int) -> bool:
    """Tell whether files of a usual shorter side are much larger than copies would be."""
    return usual_side > _WORTH * side


def _copy(path: str, place: Path, side: int) -> None:
    """Copy one file, or log why not."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}.part")
    try:
        with Image.open(path) as image:
            factor = side / min(image.size)
            pixels = image.size[0] * image.size[1]
            # What of other values is scaled, and how, is known where it is read.
            if factor < 1 and image.mode in ("RGB", "L", "CMYK", "YCbCr") and not _is_huge(pixels):
                width, height = (max(round(length * factor), 1) for length in image.size)
                image.thumbnail((width, height))
                small = ImageOps.exif_transpose(image)
                small.convert("RGB").save(aside, "JPEG", quality=_QUALITY, subsampling=0)
            else:
                shutil.copyfile(path, aside)
    except UnidentifiedImageError:
        # Broken, or of a format that is not Pillow's: it is told where it is read.
        shutil.copyfile(path, aside)
    except OSError as error:
        LOGGER.warning("Skipped the broken image %r: %s.", path, error)
        return
    os.replace(aside, place)


def _is_huge(pixels: int) -> bool:
    """Tell whether an image states more pixels than are decoded."""
    from PIL import Image

    return Image.MAX_IMAGE_PIXELS is not None and pixels > Image.MAX_IMAGE_PIXELS
