"""From pretrained features to a task: fine-tuning with labels."""

from keras_simmim.transfer.augmentation import Augmentation
from keras_simmim.transfer.image_classifier import ImageClassifier

__all__ = ["Augmentation", "ImageClassifier"]
