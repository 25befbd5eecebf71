"""Keras callbacks, one class a file."""

from keras_simmim.training.callbacks.checkpoint import Checkpoint
from keras_simmim.training.callbacks.epoch_table import EpochTable
from keras_simmim.training.callbacks.evaluate import Evaluate
from keras_simmim.training.callbacks.progress import Progress
from keras_simmim.training.callbacks.step_losses import StepLosses
from keras_simmim.training.callbacks.stop_when_skipping import StopWhenSkipping
from keras_simmim.training.callbacks.telemetry import Telemetry
from keras_simmim.training.callbacks.tensorboard import TensorBoard
from keras_simmim.training.callbacks.warn_of_collapse import WarnOfCollapse
from keras_simmim.training.callbacks.watch import Watch

__all__ = [
    "Checkpoint",
    "EpochTable",
    "Evaluate",
    "Progress",
    "StepLosses",
    "StopWhenSkipping",
    "Telemetry",
    "TensorBoard",
    "WarnOfCollapse",
    "Watch",
]
