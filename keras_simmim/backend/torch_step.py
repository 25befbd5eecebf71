"""The training step on torch: backward, and gradients from the tensors."""

from typing import Any

import torch

from keras_simmim.backend.gradients import gradient_norm
from keras_simmim.types import Tensor


class TrainStep:
    """`train_step` and `test_step` for Keras' torch trainer."""

    def train_step(self: Any, data: Any) -> dict[str, Tensor]:
        """Take one optimizer step on a batch and return the logs."""
        weights = self.trainable_weights
        self.zero_grad()
        measured = self.compute_losses(data, training=True)
        loss, batch_size = measured["loss"]
        self.optimizer.scale_loss(loss).backward()
        with torch.no_grad():
            gradients = [
                torch.zeros_like(weight.value) if weight.value.grad is None else weight.value.grad
                for weight in weights
            ]
            norm = gradient_norm(gradients, self.optimizer.scale_loss(torch.ones_like(loss)))
            self.optimizer.apply(gradients, weights)
            self.step.assign_add(1)
            measured = {name: (value.detach(), share) for name, (value, share) in measured.items()}
            return self.update_metrics({**measured, "gradient_norm": (norm, batch_size)})

    def test_step(self: Any, data: Any) -> dict[str, Tensor]:
        """Measure a batch and return the logs."""
        return self.update_metrics(self.compute_losses(data, training=False))
