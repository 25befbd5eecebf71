"""Resuming of interrupted runs."""

import dataclasses
import itertools
import logging
import os
from pathlib import Path
from typing import Any, NamedTuple

from keras_simmim.training.checkpoint_files import MODEL, DamagedError, newest_intact

LOGGER = logging.getLogger("keras_simmim")


class Resumed(NamedTuple):
    """Describe an interrupted run.

    Args:
        model: the model, compiled, with its optimizer's state.
        epoch: number of the epoch to go on with: `initial_epoch` of `fit`, `epoch` of the data.
        batch: how many of its batches are done: `first_batch` of the data.
        step: how many training steps the run has behind it.
        path: the checkpoint's folder.
    """

    model: Any
    epoch: int
    batch: int
    step: int
    path: Path


def resume(directory: str | os.PathLike[str], whole_epochs: bool = False) -> Resumed | None:
    """Read the newest checkpoint of an interrupted run that `callbacks.Checkpoint` wrote.

    With data of the same seed, the run goes on as if it had never stopped: weights, optimizer,
    what is frozen,
    averages, loss scale, running scales, masks, dropout and logged means are where they were. A
    checkpoint that is damaged is reported by a warning, renamed to `damaged-…`, and the one
    before is taken. Nothing that a checkpoint holds is executed.

    Args:
        directory: that of `callbacks.Checkpoint`.
        whole_epochs: whether an epoch that was interrupted begins anew, for data that cannot go on
            in its middle, such as a DataLoader of torch; what was learned from its first batches
            stays learned.

    Returns:
        The run; None if there is no checkpoint yet.

    Raises:
        ValueError: if all checkpoints are damaged, with the reason of each; or if one is intact
            but cannot be loaded here, such as one with layers that are not registered, or one
            whose optimizer's state does not fit what learns.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(), mask_on="pixels")
    model.compile("adamw")
    images = np.random.randint(0, 256, (8, 16, 24, 3), "uint8")
    checkpoint = ks.training.callbacks.Checkpoint("checkpoints")
    model.fit(images, epochs=1, verbose=0, callbacks=[checkpoint])   # interrupted here

    run = ks.training.resume("checkpoints")
    dataset = ks.data.from_arrays(images, batch_size=8, epoch=run.epoch, first_batch=run.batch)
    run.model.fit(dataset, initial_epoch=run.epoch, epochs=2, verbose=0, callbacks=[checkpoint])
    ks.training.resume("checkpoints").step   # 2
    ```
    """
    # The models themselves import this package.
    from keras_simmim.training.keras_file import read_keras

    found = newest_intact(Path(directory), _set_aside)
    if found is None:
        return None
    path, state = found
    model = read_keras(path / MODEL)
    try:
        state.check_optimizer(model)
        state.restore_seeds(model)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if whole_epochs and state.batch:
        state = dataclasses.replace(state, batch=0)
    model.resumed = state
    return Resumed(model, state.epoch, state.batch, state.step, path)


def _set_aside(path: Path, error: DamagedError) -> None:
    """Say that a checkpoint is damaged, and give it another name."""
    LOGGER.warning("The checkpoint %s is damaged and left out: %s", path, error)
    names = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    places = (path.with_name(f"damaged-{path.name}{name}") for name in names)
    try:
        path.rename(next(place for place in places if not place.exists()))
    except OSError as error:
        LOGGER.warning("It could not be renamed: %s", error)
