"""Begin to train with several processes on torch."""

import contextlib
import datetime
import gc
import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import distributed

from keras_simmim.backend.meeting import meet
from keras_simmim.backend.torch import processes


def start(
    devices: int | Sequence[str] | None,
    address: str | None,
    count: int | None,
    index: int | None,
    timeout: float,
) -> tuple[str, tuple[str, ...], int, int]:
    """Join the processes that `torchrun` started, or those at an address, each with one device.

    Args:
        devices: as for `ks.training.distribute`.
        address: "host:port" of process 0; that of torchrun if None.
        count: of processes; likewise.
        index: of this one; likewise.
        timeout: seconds to wait for the others.

    Returns:
        The engine, the names of all devices, the number of processes, and of this one.

    Raises:
        ValueError: for devices that cannot be had.
        RuntimeError: if the others do not come.
    """
    count = int(os.environ.get("WORLD_SIZE", 1)) if count is None else count
    index = int(os.environ.get("RANK", 0)) if index is None else index
    local = int(os.environ.get("LOCAL_RANK", index if address is None else 0))
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    name = f"{kind}:{local}" if kind == "cuda" else kind
    if (isinstance(devices, int) and devices != count) or isinstance(devices, Sequence):
        raise ValueError(
            f"devices must be None on torch, where each process has one, got {devices!r} in "
            f"{count} process(es): start as many by `torchrun --nproc_per_node=…`."
        )
    if kind == "cuda":
        torch.cuda.set_device(local)
    if count > 1 and not distributed.is_initialized():
        # torchrun has met the processes itself, at the same port.
        if address is None and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
            address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        if address is not None:
            meet(address, count, index, timeout)
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo",
            init_method="env://" if address is None else f"tcp://{address}",
            world_size=count,
            rank=index,
            timeout=datetime.timedelta(seconds=timeout),
        )
    names: list[str] = [name] * processes.count()
    if processes.count() > 1:
        distributed.all_gather_object(names, name)
    engine = "torch.distributed" if count > 1 else "torch"
    return engine, tuple(names), processes.count(), processes.index()


def whole_batches() -> contextlib.AbstractContextManager[None]:
    """Do nothing: each process computes what it is given."""
    return contextlib.nullcontext()


def own_batches(data: Any) -> Any:
    """Return the data as it is: each process iterates over its own."""
    return data


def check_model(model: Any) -> None:
    """See whether a model can be trained with other processes.

    Raises:
        ValueError: for one that DistributedDataParallel was made of, which would wait for forward
            passes that never come.
    """
    if processes.count() == 1:
        return
    wrapper = torch.nn.parallel.DistributedDataParallel
    if any(issubclass(type(each), wrapper) and each.module is model for each in gc.get_objects()):
        raise ValueError(
            f"{type(model).__name__} must not be wrapped in DistributedDataParallel: "
            "ks.training.distribute() does all that is needed."
        )


def device_count() -> int:
    """Count the devices that a batch is shared among."""
    return processes.count()


def compiles_steps() -> bool:
    """Tell whether a step can be compiled, with however many processes."""
    return True


def saves_together() -> bool:
    """Say whether all processes must save for one to: each process has all variables."""
    return False
