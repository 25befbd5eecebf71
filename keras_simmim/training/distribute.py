"""One call for many devices, before a model is made."""

import io
import random
import sys
from collections.abc import Sequence
from typing import NamedTuple

import keras

from keras_simmim.backend import distribution
from keras_simmim.backend import processes as joined


class Distribution(NamedTuple):
    """Hold what trains together.

    Args:
        engine: of the backend, such as "keras.distribution".
        devices: the names of all of them.
        processes: how many there are.
        index: of this process, from 0.

    Example:
    ```python
    import keras_simmim as ks

    found = ks.training.Distribution("torch.distributed", ("cpu", "cpu"), 2, 1)
    str(found)   # 'torch.distributed: 2 device(s) in 2 process(es), this is process 1.'
    ```
    """

    engine: str
    devices: tuple[str, ...]
    processes: int
    index: int  # type: ignore[assignment]

    def __str__(self) -> str:
        """Say it in a line."""
        own = f", this is process {self.index}" if self.processes > 1 else ""
        return f"{self.engine}: {len(self.devices)} device(s) in {self.processes} process(es){own}."

    def tell(self) -> "Distribution":
        """Print this in the first process, and let it alone print from here on.

        Returns:
            This distribution.
        """
        print(self, flush=True)
        if self.index:
            sys.stdout = io.StringIO()
        return self


def distribute(
    devices: int | Sequence[str] | None = None,
    *,
    address: str | None = None,
    processes: int | None = None,
    index: int | None = None,
    timeout: float = 300,
) -> Distribution:
    """Let what is trained from here on compute on many devices.

    Call it first, before a model or data are made. What one device computes of a global batch,
    many compute too: the same masks, losses and weights, up to rounding. `batch_size` is that of
    all devices together.

    - TensorFlow: `tf.distribute.MirroredStrategy` over the devices of this machine, or
      `MultiWorkerMirroredStrategy` over the workers of TF_CONFIG.
    - JAX: `keras.distribution.DataParallel` over all devices, also those of other processes, of
      which JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID tell.
    - torch: one process for each device, as `torchrun` starts them.

    All processes draw the same first weights; `keras.utils.set_random_seed`, before or after, says
    which.

    Args:
        devices: None for all accelerators, or all logical CPUs where there is none; how many; or
            their names. On torch, and with several processes, None.
        address: "host:port" of process 0, where the environment does not tell; on JAX "auto" for
            a TPU slice or Slurm.
        processes: how many there are, likewise.
        index: of this one, likewise.
        timeout: seconds to wait for other processes.

    Returns:
        What was found.

    Raises:
        ValueError: for devices that cannot be had, or arguments that the backend does not take.
        RuntimeError: if other processes do not come in time, or an address is taken.

    Example:
    ```python
    import keras_simmim as ks

    found = ks.training.distribute(devices=1)
    found.processes, found.index   # (1, 0)
    ```
    """
    if isinstance(devices, bool) or (isinstance(devices, int) and devices < 1):
        raise ValueError(f"devices must be None, at least 1, or names, got {devices!r}.")
    if isinstance(devices, str):
        raise ValueError(f"devices must be a list of names, got {devices!r}.")
    if not timeout > 0:
        raise ValueError(f"timeout must be above 0 seconds, got {timeout!r}.")
    found = Distribution(*distribution.start(devices, address, processes, index, timeout))
    _seed_alike()
    return found


def _seed_alike() -> None:
    """Let all processes draw the same first weights, unless they were seeded alike before."""
    before = random.getstate()
    drawn = joined.gathered([random.randrange(2**31)])
    random.setstate(before)
    if any(each != drawn[0] for each in drawn):
        keras.utils.set_random_seed(drawn[0][0])
