"""Files that are there whole or not at all."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_whole(file: Path) -> Iterator[Path]:
    """Give a hidden file to write, which gets its own name when it is whole.

    Args:
        file: that is to be there in the end.
    """
    aside = file.with_name(f".{file.name}.part")
    yield aside
    os.replace(aside, file)
