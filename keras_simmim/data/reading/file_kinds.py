"""Formats that need a package of their own, or Python, to be read: their endings and what to do."""

import importlib.util
from typing import NamedTuple

from PIL import features

from keras_simmim.data.reading.formats import EXTENSIONS


class FileKind(NamedTuple):
    """Name a format.

    Attributes:
        name: of the format.
        endings: of its files.
        package: what reads it.
        install: what to install.
        extra: of this library, "" where there is none.
    """

    name: str
    endings: tuple[str, ...]
    package: str
    install: str
    extra: str = ""


TIFF = FileKind("TIFF", (".btf", ".tif", ".tiff"), "tifffile", "keras-simmim[tiff]", "tiff")
DICOM = FileKind("DICOM", (".dcm", ".dicom"), "pydicom", "keras-simmim[dicom]", "dicom")
HEIC = FileKind("HEIC", (".heic", ".heif", ".hif"), "pillow_heif", "keras-simmim[heic]", "heic")
AVIF = FileKind("AVIF", (".avif",), "Pillow with AVIF", "'pillow>=11.3'")
ARRAY = FileKind("NumPy", (".npy", ".npz"), "numpy", "numpy")
KINDS = (TIFF, DICOM, HEIC, AVIF, ARRAY)


def kind_of(path: str) -> FileKind | None:
    """Return the format of a file by its ending, None for one that TensorFlow reads or for none."""
    name = path.lower()
    return next((kind for kind in KINDS if name.endswith(kind.endings)), None)


def is_there(kind: FileKind) -> bool:
    """Return whether what reads a format is installed."""
    if kind is AVIF:
        return bool(features.check("avif"))
    return importlib.util.find_spec(kind.package) is not None


def needs(kind: FileKind) -> str:
    """Return what a format needs, as an error says it."""
    return f"{kind.name} files need {kind.package}: pip install '{kind.install}'"


def readable_endings() -> tuple[str, ...]:
    """Return the endings of the files that can be read here, sorted."""
    found = [ending for kind in KINDS if is_there(kind) for ending in kind.endings]
    return tuple(sorted((*EXTENSIONS, *found)))
