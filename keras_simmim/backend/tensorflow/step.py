"""The training step on TensorFlow: a gradient tape, alone or under tf.distribute."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_simmim.backend.gradients import poisoned_unless
from keras_simmim.backend.lost_process import LOST_PROCESS
from keras_simmim.backend.tensorflow import processes
from keras_simmim.backend.tensorflow.kernels import never_empty, total_norm
from keras_simmim.backend.types import Tensor


class TrainStep:
    """Train and test on one batch, as Keras' TensorFlow trainer calls it."""

    def train_step(self: Any, data: Any) -> dict[str, Tensor]:
        """Take one optimizer step on a batch, unless it is not finite, and return the logs."""
        weights = self.trainable_weights
        before = [tf.identity(variable.value) for variable in self.kept_variables]
        # Replicas add their gradients up, so each contributes its share of the mean.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape() as tape:
            measured = self.measure(data, training=True)
            loss, batch_size = measured.losses["loss"]
            scaled_loss = self.optimizer.scale_loss(loss / replicas)
        # Of TensorFlow's variables: it cannot make the zeros of one of Keras that is not used.
        gradients = tape.gradient(
            scaled_loss,
            [weight.value for weight in weights],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        # Rows of a table that were used several times count once in a norm.
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        summed, total = gradients, loss
        if replicas > 1:
            context = tf.distribute.get_replica_context()
            summed = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
            total = context.all_reduce(tf.distribute.ReduceOp.SUM, loss)
        norm = total_norm(summed) / self.optimizer.scale_loss(tf.constant(1.0))
        finite = tf.math.is_finite(norm) & tf.math.is_finite(total)
        if replicas > 1:
            gradients = self._shares(gradients, summed, replicas)
        self._apply_if(finite, gradients, weights, replicas)
        self.finish_step(finite, before)
        measured.losses["gradient_norm"] = (norm, batch_size)
        return _reducible(self.update_metrics(measured, finite) | self.skipped_log())

    def _maybe_symbolic_build(self: Any, *arguments: Any, **options: Any) -> None:
        """Build nothing again: replicas would add up images for it, of which each has others."""
        if not self.built:
            super()._maybe_symbolic_build(*arguments, **options)  # type: ignore[misc]

    def _get_metrics_result_or_logs(self: Any, logs: Any) -> Any:
        """Log what all replicas' metrics have come to, and not the mean of what each has."""
        if tf.distribute.get_strategy().num_replicas_in_sync == 1:
            return super()._get_metrics_result_or_logs(logs)  # type: ignore[misc]
        found = self.get_metrics_result()
        return {name: found.get(name, value) for name, value in logs.items()}

    def fit(self: Any, *arguments: Any, **options: Any) -> Any:
        """Train; the end of another process ends this one, with a word about it."""
        try:
            return super().fit(*arguments, **options)  # type: ignore[misc]
        except (tf.errors.UnavailableError, tf.errors.DeadlineExceededError) as error:
            if processes.count() == 1:
                raise
            raise RuntimeError(LOST_PROCESS) from error

    def in_one_piece(self: Any, function: Callable, *arguments: Tensor) -> Any:
        """Return `function(*arguments)`; JAX compiles it first."""
        return function(*arguments)

    def test_step(self: Any, data: Any) -> dict[str, Tensor]:
        """Measure a batch and return the logs."""
        return _reducible(self.update_metrics(self.measure(data, training=False)))

    def predict_step(self: Any, data: Any) -> Any:
        """Predict a batch, of which the last of an epoch leaves replicas without images."""
        images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        if images.shape[0] is not None:
            return self(images, training=False)
        count = tf.shape(images)[0]
        predicted = self(never_empty(images), training=False)
        return keras.tree.map_structure(lambda each: each[:count], predicted)

    def _shares(self: Any, gradients: list, summed: list, replicas: int) -> list:
        """Give each replica an equal share of the gradient, clipped as that of one device is.

        An optimizer clips what each replica brings before it adds that up. A share of what is
        clipped already passes. One that accumulates, or scales the loss, does it otherwise.
        """
        optimizer = self.optimizer
        scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        if scales or optimizer.gradient_accumulation_steps:
            return gradients
        return [gradient / replicas for gradient in optimizer._clip_gradients(summed)]

    def _apply_if(self: Any, finite: Tensor, gradients: list, weights: list, replicas: int) -> None:
        """Apply the gradients if the step is finite."""
        if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
            # It must see what it is to skip.
            self.optimizer.apply(poisoned_unless(finite, gradients), weights)
        elif replicas == 1:
            tf.cond(finite, lambda: self.optimizer.apply(gradients, weights), lambda: None)
        else:
            # Replicas cannot meet inside a condition: apply, and take it back.
            changed = [*weights, *self.optimizer.variables]
            old = [tf.identity(variable.value) for variable in changed]
            self.optimizer.apply(gradients, weights)
            for variable, value in zip(changed, old, strict=True):
                variable.assign(tf.where(finite, variable.value, value))


def _reducible(logs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give logs an axis that Keras averages over where several workers have them."""
    if processes.count() == 1:
        return logs
    return {name: tf.expand_dims(value, 0) for name, value in logs.items()}
