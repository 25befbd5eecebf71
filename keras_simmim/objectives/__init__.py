"""What the losses of several modalities and of partly labelled batches share."""

from keras_simmim.objectives.classification_loss import classification_loss
from keras_simmim.objectives.running_scale import RunningScale

__all__ = ["RunningScale", "classification_loss"]
