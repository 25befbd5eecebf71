"""What torch computes on, and what processes that take a step together tell each other."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import distributed

from keras_simmim.backend.torch import processes
from keras_simmim.backend.types import Tensor

# How many examples each process has of the step that they are taking; none outside of steps.
_sizes: list[int] = []


def device_names() -> list[str]:
    """List the accelerators by their makers' names, or ["CPU"]."""
    count = torch.cuda.device_count()
    return [torch.cuda.get_device_name(index) for index in range(count)] or ["CPU"]


@contextlib.contextmanager
def taking_a_step(batch_size: int) -> Iterator[None]:
    """Take a step with all processes: what is in here may wait for the others.

    Outside, a process computes what it is given by itself.

    Args:
        batch_size: examples of this process.
    """
    if processes.count() > 1:
        # A tensor of the host: an accelerator need not be waited for.
        sizes = torch.zeros(processes.count(), dtype=torch.int64)
        sizes[processes.index()] = batch_size
        distributed.all_reduce(sizes)
        _sizes[:] = sizes.tolist()
    try:
        yield
    finally:
        _sizes.clear()


def first_example(batch_size: Tensor | int) -> int:
    """Return the number of this process' first example within the batch of all processes.

    Args:
        batch_size: examples of this process, or a multiple of them where each is there several
            times, side by side.
    """
    return sum(_rows(int(batch_size))[: processes.index()]) if _sizes else 0


def mean_over_replicas(value: Tensor) -> Tensor:
    """Average a tensor over the processes, without a gradient."""
    if not _sizes:
        return value
    mean = torch.as_tensor(value).detach().clone()
    distributed.all_reduce(mean)
    return mean / len(_sizes)


def sum_over_replicas(value: Tensor) -> Tensor:
    """Sum a tensor over the processes; gradients find their way back."""
    return _Summed.apply(value) if _sizes else value


def all_examples(value: Tensor) -> Tensor:
    """Put the rows of all processes behind each other; gradients find their way back."""
    return _Gathered.apply(value, _rows(len(value))) if _sizes else value


def own_examples(values: list[Tensor], batch_size: Tensor | int) -> list[Tensor]:
    """Take this process' rows of tensors that have those of all processes."""
    if not _sizes:
        return values
    first = first_example(batch_size)
    return [value[first : first + int(batch_size)] for value in values]


def examples_of_metrics(value: Tensor) -> Tensor:
    """Give a metric the rows of all processes, which it adds up in each."""
    return all_examples(value)


def averaged(tensors: Sequence[Any]) -> list[Any]:
    """Average float tensors over the processes in one message; alone, return them as they are."""
    if not _sizes:
        return list(tensors)
    flat = torch.cat([tensor.detach().reshape(-1).float() for tensor in tensors])
    distributed.all_reduce(flat)
    parts = (flat / len(_sizes)).split([tensor.numel() for tensor in tensors])
    return [
        part.reshape(tensor.shape).to(tensor.dtype)
        for part, tensor in zip(parts, tensors, strict=True)
    ]


def _rows(count: int) -> list[int]:
    """Count the rows of each process, of which this one has so many."""
    own = _sizes[processes.index()]
    # A process without examples computes one of zeros.
    times = count // max(own, 1)
    return [max(size, 1) * times for size in _sizes]


class _Summed(torch.autograd.Function):
    """Sum the tensors of all processes; back, all their gradients."""

    @staticmethod
    def forward(context: Any, value: Any) -> Any:
        total = value.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Any) -> Any:
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        return total


class _Gathered(torch.autograd.Function):
    """Put all processes' rows behind each other; back, sum their gradients of one's own."""

    @staticmethod
    def forward(context: Any, value: Any, rows: list[int]) -> Any:
        context.rows = rows
        # All must be of one size on their way.
        padded = value.new_zeros((max(rows), *value.shape[1:]))
        padded[: len(value)] = value
        parts = [torch.empty_like(padded) for _ in rows]
        distributed.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, rows, strict=True)])

    @staticmethod
    def backward(context: Any, gradient: Any) -> tuple[Any, None]:
        gradient = gradient.contiguous().clone()
        distributed.all_reduce(gradient)
        return gradient.split(context.rows)[processes.index()], None
