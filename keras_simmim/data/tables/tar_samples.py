"""Images and labels in a tar archive, in WebDataset's layout."""

import json
import os
from dataclasses import dataclass, field

from keras_simmim.data.reading.file_kinds import ARRAY, readable_endings
from keras_simmim.data.tables.tar_members import TarMember, tar_members

MOST_OF_LABEL = 2**24  # bytes
AUTO = "auto"


@dataclass
class TarSamples:
    """Hold what was found in an archive.

    Attributes:
        images: where they are, in the order of the archive.
        labels: of each image: the text of `.cls`, the value in `.json`, or None if there is none.
        broken: images of which the label cannot be read, or that share a sample, and the reasons.
        without_image: samples that hold no image.
        damage: why the archive ends too early, None if it does not.
    """

    images: list[TarMember] = field(default_factory=list)
    labels: list[int | str | None] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    without_image: int = 0
    damage: str | None = None


def tar_samples(path: str, image: str | None, label: str | None) -> TarSamples:
    """Find the images and the labels in an archive.

    Files with the same name up to the first dot belong to one sample.

    Args:
        path: of the archive.
        image: ending of the images, None for any that is read.
        label: `"auto"` for the contents of `.cls`, None for no labels, or a key of `.json`.

    Returns:
        What was found; behind damage nothing is.

    Raises:
        OSError: if the archive cannot be opened.
    """
    found, endings = TarSamples(), readable_endings()
    samples: dict[str, dict[str, TarMember]] = {}
    file = os.open(path, os.O_RDONLY)
    try:
        try:
            for member in tar_members(file):
                folder, _, name = member.name.rpartition("/")
                key, _, ending = name.partition(".")
                if key and ending:
                    samples.setdefault(f"{folder}/{key}", {})[ending.lower()] = member
        except (ValueError, OSError) as error:
            found.damage = str(error)
            # The last one may lack its label.
            if samples:
                samples.popitem()
        for members in samples.values():
            candidates = _images_of(members, image, endings)
            if not candidates:
                found.without_image += 1
            elif len(candidates) > 1:
                found.broken[candidates[0].name] = (
                    f"as much the image of its sample as {candidates[1].name!r}: their names agree "
                    f"up to the first dot, so that image must name an ending"
                )
            else:
                try:
                    found.labels.append(_label_of(file, members, label))
                    found.images += candidates
                except (ValueError, RecursionError, OSError) as error:
                    found.broken[candidates[0].name] = f"its label cannot be read: {error}"
    finally:
        os.close(file)
    return found


def _images_of(
    members: dict[str, TarMember], image: str | None, endings: tuple[str, ...]
) -> list[TarMember]:
    """Return what may be the image of a sample, by its endings."""
    if image is not None:
        return [members[image]] if image in members else []
    known = [ending for ending in members if f".{ending}" in endings]
    # Features stand back behind images, and "mask.png" behind "jpg".
    candidates = [ending for ending in known if f".{ending}" not in ARRAY.endings] or known
    candidates = candidates or [ending for ending in members if ending.endswith(endings)]
    return [members[ending] for ending in candidates]


def _label_of(file: int, members: dict[str, TarMember], label: str | None) -> int | str | None:
    """Return the label of a sample.

    Raises:
        ValueError: if it cannot be read, or is neither an integer nor a text.
    """
    member = None if label is None else members.get("cls" if label == AUTO else "json")
    if member is None:
        return None
    if member.size > MOST_OF_LABEL:
        raise ValueError(f"{member.name!r} is of {member.size} bytes")
    contents = os.pread(file, member.size, member.start).decode()
    if label == AUTO:
        if not (text := contents.strip()):
            raise ValueError(f"{member.name!r} is empty")
        return text
    described = json.loads(contents)
    if not isinstance(described, dict):
        raise ValueError(f"{member.name!r} is no dictionary")
    value = described.get(label)
    if value is not None and not isinstance(value, int | str):
        raise ValueError(f"{label!r} is {value!r}, neither an integer nor a text")
    return value
