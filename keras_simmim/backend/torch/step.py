"""The training step on torch: backward, and gradients from the tensors."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import torch

from keras_simmim.backend.gradients import poisoned_unless
from keras_simmim.backend.lost_process import LOST_PROCESS
from keras_simmim.backend.torch import devices, processes
from keras_simmim.backend.torch.kernels import runs_ahead, total_norm
from keras_simmim.backend.types import Tensor


class TrainStep:
    """Train and test on one batch, as Keras' torch trainer calls it."""

    def train_step(self: Any, data: Any) -> dict[str, Tensor]:
        """Take one optimizer step on a batch, unless it is not finite, and return the logs."""
        with devices.taking_a_step(len(keras.tree.flatten(data)[0])):
            return self._train_step(data)

    def _train_step(self: Any, data: Any) -> dict[str, Tensor]:
        weights = self.trainable_weights
        before = [variable.value.detach().clone() for variable in self.kept_variables]
        self.zero_grad()
        measured = self.measure(data, training=True)
        loss, batch_size = measured.losses["loss"]
        self.optimizer.scale_loss(loss).backward()
        with torch.no_grad():
            gradients = [
                torch.zeros_like(weight.value) if weight.value.grad is None else weight.value.grad
                for weight in weights
            ]
            loss, *gradients = self._averaged(loss, gradients)
            norm = total_norm(gradients) / self.optimizer.scale_loss(torch.ones_like(loss))
            finite = torch.isfinite(norm) & torch.isfinite(loss)
            # A loss-scaling optimizer must see what it is to skip.
            if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
                self.optimizer.apply(poisoned_unless(finite, gradients), weights)
            elif runs_ahead(finite):
                _apply_if(finite, self.optimizer, gradients, weights)
            elif bool(finite):
                self.optimizer.apply(gradients, weights)
            self.finish_step(finite, before)
            measured = keras.tree.map_structure(torch.detach, measured)
            measured.losses["gradient_norm"] = (norm, batch_size)
            return self.update_metrics(measured, finite) | self.skipped_log()

    def _averaged(self: Any, loss: Tensor, gradients: list[Any]) -> list[Any]:
        """Average loss and gradients over processes, and with them what else followed a batch."""
        if processes.count() == 1:
            return [loss, *gradients]
        followed = [each for each in self.kept_variables if "float" in each.dtype]
        averages = devices.averaged([loss, *gradients, *(each.value for each in followed)])
        found = averages[: 1 + len(gradients)]
        for variable, value in zip(followed, averages[len(found) :], strict=True):
            variable.assign(value)
        return found

    def fit(self: Any, *arguments: Any, **options: Any) -> Any:
        """Train; the end of another process ends this one, with a word about it."""
        try:
            return super().fit(*arguments, **options)  # type: ignore[misc]
        except RuntimeError as error:
            # What gloo and NCCL raise where a neighbor is gone.
            words = ("gloo", "nccl", "peer", "connection", "timed out")
            if processes.count() == 1 or not any(word in str(error).lower() for word in words):
                raise
            raise RuntimeError(LOST_PROCESS) from error

    def in_one_piece(self: Any, function: Callable, *arguments: Tensor) -> Any:
        """Return `function(*arguments)`; JAX compiles it first."""
        return function(*arguments)

    def test_step(self: Any, data: Any) -> dict[str, Tensor]:
        """Measure a batch, without the other processes, and return the logs."""
        return self.update_metrics(self.measure(data, training=False))


def _apply_if(
    finite: Tensor, optimizer: Any, gradients: Sequence[Tensor], weights: Sequence[Any]
) -> None:
    """Apply gradients and take all of it back where the step is not finite, without asking."""
    values = [variable.value for variable in (*weights, *optimizer.variables)]
    # Groups of one type are copied in a few launches.
    groups = [
        [each for each in values if each.dtype == dtype] for dtype in {v.dtype for v in values}
    ]
    before = [[torch.empty_like(each) for each in group] for group in groups]
    for old, new in zip(before, groups, strict=True):
        torch._foreach_copy_(old, new)
    optimizer.apply(gradients, weights)
    for old, new in zip(before, groups, strict=True):
        for was, now in zip(old, new, strict=True):
            torch.where(finite, now, was, out=now)
