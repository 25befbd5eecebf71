"""What a folder holds besides the images that are read, which nobody should miss unawares."""

import functools
import logging
import os
from collections import Counter
from collections.abc import Sequence

from keras_simmim.data.reading.file_kinds import is_there, kind_of, needs

LOGGER = logging.getLogger("keras_simmim")
NAMED = 8  # endings or folders in a message
# Images that are not read, raw files of cameras among them.
OTHER_IMAGES = (
    ".3fr .arw .avif .avifs .cr2 .cr3 .dcm .dds .dib .dicom .dng .eps .exr .fits .hdr .heic .heif "
    ".hif .icns .ico .j2k .jfi .jif .jp2 .jpf .jpx .jxl .jxr .nef .nii .nrw .orf .pbm .pcx .pef "
    ".pgm .pjp .pjpeg .pnm .ppm .psb .psd .qoi .raf .ras .raw .rw2 .srw .svg .svgz .tga .tif .tiff "
    ".wdp .xbm .xcf .xpm"
)


@functools.cache
def warn_once(message: str) -> None:
    """Log a warning, if it has not been said: a folder is opened several times."""
    LOGGER.warning("%s", message)


def warn_of_images(path: str, left_out: Sequence[str], endings: Sequence[str]) -> None:
    """Log how many images of other formats are left out, if there are any.

    Args:
        path: the folder.
        left_out: all files that are not read, of which others, such as notes, are only counted.
        endings: of those that are read.
    """
    known = set(OTHER_IMAGES.split()) - set(endings)
    images = [path for path in left_out if _ending(path) in known]
    if not images:
        return
    others = [path for path in left_out if _ending(path) not in known]
    warn_once(
        f"Left out of {path!r}: images whose endings are not among {', '.join(endings)}: "
        f"{_counted(images)}."
        + (f" Other files: {_counted(others)}." if others else "")
        + "".join(f" {need}." for need in _needs(images))
    )


def warn_of_folders(path: str, names: Sequence[str]) -> None:
    """Log which sub-folders of `path` are no classes, if there are any."""
    if names:
        named = ", ".join(repr(name) for name in names[:NAMED])
        warn_once(
            f"Left out of {path!r}: folders without an image, which are no classes: {named}"
            f"{', …' if len(names) > NAMED else ''}. To keep the place of an empty class among the "
            "labels, pass class_names."
        )


def nothing_found(path: str, files: Sequence[str], endings: Sequence[str]) -> Exception:
    """Return the error for a folder of which no file is an image that is read.

    Args:
        path: the folder.
        files: all that it holds.
        endings: of files that are read.
    """
    wanted = f"no images under {path!r}: looked for {', '.join(endings)}"
    message = (
        f"{wanted}; found {_counted(files)}." if files else f"{wanted}; found no files at all."
    )
    if missing := _needs(files):
        return ImportError(f"{message} {'. '.join(missing)}.")
    return ValueError(message)


def _needs(files: Sequence[str]) -> list[str]:
    """Return what has to be installed to read files that are not read."""
    kinds = {kind.name: kind for file in files if (kind := kind_of(file)) is not None}
    return [needs(kind) for kind in kinds.values() if not is_there(kind)]


def _counted(files: Sequence[str]) -> str:
    """Return the endings of files, the most frequent ones first, with the number of each."""
    counts = Counter(_ending(file) or "no extension" for file in files)
    endings = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    common = ", ".join(f"{ending} ({number})" for ending, number in endings[:NAMED])
    return common + (", …" if len(endings) > NAMED else "")


def _ending(path: str) -> str:
    """Return the ending of a file's name, in lower case."""
    return os.path.splitext(path)[1].lower()
