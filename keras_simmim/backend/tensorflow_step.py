"""The training step on TensorFlow: a gradient tape, alone or under tf.distribute."""

from typing import Any

import tensorflow as tf

from keras_simmim.backend.gradients import gradient_norm
from keras_simmim.types import Tensor


class TrainStep:
    """`train_step` and `test_step` for Keras' TensorFlow trainer."""

    def train_step(self: Any, data: Any) -> dict[str, Tensor]:
        """Take one optimizer step on a batch and return the logs."""
        weights = self.trainable_weights
        # Replicas add their gradients up, so each contributes its share of the mean.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape() as tape:
            measured = self.compute_losses(data, training=True)
            loss, batch_size = measured["loss"]
            scaled_loss = self.optimizer.scale_loss(loss / replicas)
        gradients = tape.gradient(
            scaled_loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        summed = gradients
        if replicas > 1:
            context = tf.distribute.get_replica_context()
            summed = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        norm = gradient_norm(summed, self.optimizer.scale_loss(tf.constant(1.0)))
        self.optimizer.apply(gradients, weights)
        self.step.assign_add(1)
        return self.update_metrics({**measured, "gradient_norm": (norm, batch_size)})

    def test_step(self: Any, data: Any) -> dict[str, Tensor]:
        """Measure a batch and return the logs."""
        return self.update_metrics(self.compute_losses(data, training=False))
