"""Where the images of a tar archive are, remembered from one start to the next."""

import contextlib
import hashlib
import json
import os
import tempfile
import zipfile
from typing import Any, NamedTuple

import numpy as np

from keras_simmim.data.reading.file_kinds import readable_endings
from keras_simmim.data.tables.tar_samples import tar_samples

VERSION = 1  # of what is kept


class TarIndex(NamedTuple):
    """Hold where the images of an archive are.

    Attributes:
        starts: of the images in the archive, in bytes, int64 (N,).
        sizes: of the images, in bytes, int64 (N,).
        names: of the images, UTF-8, one behind the other, uint8.
        ends: of each name in `names`, int64 (N,).
        notes: JSON of "labels", of each image, "endings" of the images, "broken", why which are
            left out, "damage", why the archive ends too early, and "without_image", samples that
            hold no image.
    """

    starts: np.ndarray
    sizes: np.ndarray
    names: np.ndarray
    ends: np.ndarray
    notes: dict[str, Any]

    def name(self, index: int) -> str:
        """Return the name of an image in the archive."""
        start = int(self.ends[index - 1]) if index else 0
        return self.names[start : int(self.ends[index])].tobytes().decode(errors="surrogateescape")


def tar_index(path: str, image: str | None, label: str | None, folder: str) -> TarIndex:
    """Index an archive, or take what an earlier call found, if the archive is still the same.

    Args:
        path: of the archive.
        image: as in `tar_samples`, like `label`.
        label: where labels are.
        folder: where the index is kept; without permission to write there it is not.

    Raises:
        OSError: if the archive cannot be opened.
    """
    stat = os.stat(path)
    # Equal sizes and times are taken for equal contents, as `make` and rsync do.
    key = [os.path.abspath(path), image, label]
    state = [VERSION, *key, stat.st_size, stat.st_mtime_ns, list(readable_endings())]
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
    place = os.path.join(folder, "indexes", digest[:2], f"{digest[2:32]}.npz")
    kept = _read(place, state)
    if kept is not None:
        return kept
    samples = tar_samples(path, image, label)
    names = [member.name.encode(errors="surrogateescape") for member in samples.images]
    index = TarIndex(
        np.array([member.start for member in samples.images], np.int64),
        np.array([member.size for member in samples.images], np.int64),
        np.frombuffer(b"".join(names), np.uint8),
        np.cumsum([len(name) for name in names], dtype=np.int64),
        {
            "labels": samples.labels,
            "endings": sorted({each.name.rpartition(".")[2].lower() for each in samples.images}),
            "broken": samples.broken,
            "damage": samples.damage,
            "without_image": samples.without_image,
        },
    )
    _write(place, index, state)
    return index


def _read(place: str, state: list[Any]) -> TarIndex | None:
    """Return an index that is kept, None if there is none of this state of the archive."""
    try:
        with open(place, "rb") as file, np.load(file, allow_pickle=False) as kept:
            columns = [kept[name] for name in TarIndex._fields[:4]]
            notes = json.loads(kept["notes"].tobytes())
        starts, sizes, names, ends = columns
        counts = {len(starts), len(sizes), len(ends), len(notes["labels"])}
        if notes.pop("state") != state or len(counts) > 1 or (ends[-1:] > len(names)).any():
            return None
        return TarIndex(starts, sizes, names, ends, notes)
    # There is none, or it was damaged in any way: the archive says it again.
    except (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, MemoryError):
        return None
    except zipfile.BadZipFile:
        return None


def _write(place: str, index: TarIndex, state: list[Any]) -> None:
    """Keep an index, whole or not at all."""
    notes = json.dumps({**index.notes, "state": state}).encode()
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(place), exist_ok=True)
        aside, written = tempfile.mkstemp(dir=os.path.dirname(place), suffix=".part")
        try:
            with os.fdopen(aside, "wb") as file:
                np.savez(
                    file,
                    starts=index.starts,
                    sizes=index.sizes,
                    names=index.names,
                    ends=index.ends,
                    notes=np.frombuffer(notes, np.uint8),
                )
            os.replace(written, place)
        except OSError:
            os.unlink(written)
            raise
