"""A place to write to, which is another one for all processes but the first."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_simmim.backend import distribution, processes


@contextlib.contextmanager
def written_once(folder: str | Path) -> Iterator[Path | None]:
    """Give the folder to the first process; to others one that does not last, or none.

    On JAX and TensorFlow all processes must save a model for one to.

    Args:
        folder: to write to; it is made, if it is not there.

    Yields:
        A folder, or None where nothing need be written.

    Example:
    ```python
    from pathlib import Path
    import keras_simmim as ks

    with ks.training.written_once(Path("results")) as folder:
        if folder is not None:
            (folder / "classes.txt").write_text("mono, poly")
    Path("results", "classes.txt").read_text()   # 'mono, poly'
    ```
    """
    folder = Path(folder)
    if processes.index() == 0:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    elif distribution.saves_together():
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)
    else:
        yield None
