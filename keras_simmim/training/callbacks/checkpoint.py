"""The whole model after every epoch, never half-written."""

import os
from pathlib import Path
from typing import Any

import keras


class Checkpoint(keras.callbacks.Callback):
    """Saves the model with its optimizer after every epoch, to one `.keras` file.

    The file is written beside its place and then renamed, so that a run that is killed while
    saving leaves the epoch before.

    Args:
        path: the file, ending in `.keras`.

    Raises:
        ValueError: for another ending.

    Example:
    ```python
    model.fit(dataset, callbacks=[Checkpoint("runs/first/model.keras")])
    model = keras.saving.load_model("runs/first/model.keras")
    ```
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.path = Path(path)
        if self.path.suffix != ".keras":
            raise ValueError(f"path must end in .keras, got {os.fspath(path)!r}.")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        aside = self.path.with_name(f".{self.path.stem}.part.keras")
        self.model.save(aside)
        os.replace(aside, self.path)
