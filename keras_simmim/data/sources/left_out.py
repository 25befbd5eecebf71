"""What a folder holds besides the images that are read, which nobody should miss unawares."""

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


def warn_of_images(left_out: Sequence[str], endings: Sequence[str]) -> None:
    """Log how many images of other formats are left out, if there are any.

    Args:
        left_out: all files that are not read, of which others, such as notes, are only counted.
        endings: of those that are read.
    """
    known = set(OTHER_IMAGES.split()) - set(endings)
    images = [path for path in left_out if _ending(path) in known]
    if not images:
        return
    others = len(left_out) - len(images)
    LOGGER.warning(
        "Left out %d images whose endings are not among %s: %s.%s%s",
        len(images),
        ", ".join(endings),
        _counted(images),
        f" Other files: {others}." if others else "",
        "".join(f" {need}." for need in _needs(images)),
    )


def warn_of_folders(path: str, names: Sequence[str]) -> None:
    """Log which sub-folders of `path` are no classes, if there are any."""
    if names:
        LOGGER.warning(
            "Left out %d folders without an image in %r, which are no classes: %s%s. "
            "To keep the place of an empty class among the labels, pass class_names.",
            len(names),
            path,
            ", ".join(repr(name) for name in names[:NAMED]),
            ", …" if len(names) > NAMED else "",
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
