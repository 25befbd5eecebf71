"""Whole models: SimMIM, which pretrains, and what is made of its network with labels."""

from keras_simmim.models.faster_rcnn import FasterRCNN
from keras_simmim.models.image_classifier import ImageClassifier
from keras_simmim.models.image_model import ImageModel
from keras_simmim.models.image_segmenter import ImageSegmenter
from keras_simmim.models.object_detector import ObjectDetector
from keras_simmim.models.pretrained_network import open_model
from keras_simmim.models.sequence_recommender import SequenceRecommender
from keras_simmim.models.simmim import SimMIM
from keras_simmim.models.ssd import SSD
from keras_simmim.models.text_classifier import TextClassifier
from keras_simmim.models.yolo import YOLO

__all__ = [
    "SSD",
    "YOLO",
    "FasterRCNN",
    "ImageClassifier",
    "ImageModel",
    "ImageSegmenter",
    "ObjectDetector",
    "SequenceRecommender",
    "SimMIM",
    "TextClassifier",
    "open_model",
]
