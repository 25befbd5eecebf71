"""Ctrl-C and SIGTERM, after which a run goes on where it stopped."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

from keras_simmim.backend import processes

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """Say that this process was asked to end.

    Args:
        signal: number of the signal that asked.

    Example:
    ```python
    import keras_simmim as ks

    ks.training.Stopped(15).signal   # 15
    ```
    """

    def __init__(self, signal: int) -> None:
        super().__init__(f"stopped by signal {signal}")
        self.signal = int(signal)


class _Asked:
    """Remember what was asked for: signals belong to the whole process, and so does this.

    Attributes:
        trains: whether a `fit` is under way that will look.
        signal: the number of the signal that came since, None if none did.
    """

    trains = False
    signal: int | None = None


@contextlib.contextmanager
def stop_gently() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end training behind the step that is being taken.

    `fit` of the models of this library then lets `callbacks.Checkpoint` save, whatever its turn,
    and raises `Stopped`, which is a `KeyboardInterrupt`: the run goes on with the very next step.
    A second signal, or one while nothing trains, raises at once. So does the first where several
    processes train together, which would not stop behind the same step.

    Raises:
        Stopped: after a signal.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(), mask_on="pixels")
    model.compile("adamw")
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 24, 3), dtype="uint8")
    checkpoint = ks.training.callbacks.Checkpoint("checkpoints")
    with ks.training.stop_gently():
        model.fit(images, verbose=0, callbacks=[checkpoint])
    int(model.step)   # 1
    ```
    """

    def handle(number: int, frame: Any) -> None:
        if not _Asked.trains or _Asked.signal is not None or processes.count() > 1:
            raise Stopped(number)
        _Asked.signal = number
        # What is being printed may not be printed into.
        os.write(2, b"\nStopping after this step; once more stops at once.\n")

    if threading.current_thread() is not threading.main_thread():
        # Only the main thread gets signals.
        yield
        return
    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        forget()
        for number, handler in before.items():
            signal.signal(number, handler)


def await_signals() -> None:
    """Let signals wait until `asked` is asked."""
    _Asked.trains, _Asked.signal = True, None


def asked() -> int | None:
    """Return the number of the signal that came, None if none did."""
    return _Asked.signal


def forget() -> None:
    """Let signals not wait any more."""
    _Asked.trains, _Asked.signal = False, None
