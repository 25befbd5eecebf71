"""The metrics that `compile` was given, fed from what a model predicts."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_simmim.backend import devices
from keras_simmim.backend.types import Tensor
from keras_simmim.training.measured import Measured


class UserMetrics:
    """Update the metrics of each output, and say what they have come to.

    Keras lets no list of metrics be added to a model that is built: this holds it.
    """

    def __init__(self) -> None:
        self.by_output: dict[str, list[keras.metrics.Metric]] = {}
        # As `compile` was given them, to be saved.
        self.given: list[Any] = []

    def choose(self, output: str, metrics: Sequence[Any]) -> None:
        """Take metrics for an output, by name or as objects, instead of those before."""
        chosen = map(keras.metrics.get, metrics)
        self.by_output[output] = [
            metric
            if isinstance(metric, keras.metrics.Metric)
            else keras.metrics.MeanMetricWrapper(metric, name=metric.__name__)
            for metric in chosen
        ]

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """List all metrics."""
        return [metric for metrics in self.by_output.values() for metric in metrics]

    def update(
        self, measured: Measured, unless_skipped: Callable[[Tensor], Tensor]
    ) -> dict[str, Tensor]:
        """Fold a batch in and return the results so far.

        Args:
            measured: of the batch.
            unless_skipped: makes zeros of what a step measured that was not finite.
        """
        logs = {}
        for output, metrics in self.by_output.items():
            if not metrics:
                continue
            targets, outputs, weights = map(
                devices.examples_of_metrics,
                (
                    measured.targets[output],
                    unless_skipped(measured.outputs[output]),
                    unless_skipped(measured.weights[output]),
                ),
            )
            for metric in metrics:
                metric.update_state(targets, outputs, sample_weight=weights)
                logs[metric.name] = metric.result()
        return logs
