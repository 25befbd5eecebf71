"""A place to write to, which is another one for all processes but the first."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_simmim.backend import distribution, processes


@contextlib.contextmanager
def written_once(folder: Path) -> Iterator[Path | None]:
    """Give the folder to the first process; to others one that does not last, or none.

    Args:
        folder: to write to.

    Returns:
        None where nothing need be written.
    """
    if processes.index() == 0:
        yield folder
    elif distribution.saves_together():
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)
    else:
        yield None
