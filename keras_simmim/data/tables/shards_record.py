"""What `write_shards` writes down beside its shards: how far it is, and the classes' names."""

import json
import os
import tempfile
from typing import Any

from keras_simmim.data import arguments

NAME = "shards.json"
FORMAT = "keras_simmim shards 1"


def read_record(folder: str) -> dict[str, Any] | None:
    """Return the record in a folder, None if there is none.

    Returns:
        A dictionary of "class_names", a list or None, "call", with what the shards were written,
        "shards", from names to numbers of images, "files", how many of the folder's are done, and
        "broken_files", why which are left out.

    Raises:
        ValueError: if a file of that name is no record.
    """
    place = os.path.join(folder, NAME)
    try:
        with open(place, encoding="utf-8") as file:
            record = json.load(file)
        if record["format"] != FORMAT:
            return None
        if record["class_names"] is not None:
            arguments.as_names("class_names", record["class_names"])
        if not isinstance(record["shards"], dict) or not isinstance(record["broken_files"], dict):
            raise TypeError("its parts are of other types")
        arguments.as_integer("files", record["files"], minimum=0)
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"{place!r} is no record of shards: {error}.") from error
    return record


def write_record(folder: str, record: dict[str, Any]) -> None:
    """Write a record, whole or not at all."""
    aside, written = tempfile.mkstemp(dir=folder, prefix=f".{NAME}.", suffix=".part")
    try:
        with os.fdopen(aside, "w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, **record}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(written, 0o644)
        os.replace(written, os.path.join(folder, NAME))
    except BaseException:
        os.unlink(written)
        raise
