"""Whole models: SimMIM, which pretrains, and what is made of its network with labels."""

from keras_simmim.models.image_classifier import ImageClassifier
from keras_simmim.models.image_model import ImageModel
from keras_simmim.models.image_segmenter import ImageSegmenter
from keras_simmim.models.simmim import SimMIM

__all__ = ["ImageClassifier", "ImageModel", "ImageSegmenter", "SimMIM"]
