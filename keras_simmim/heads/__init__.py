"""Stage C and its self-supervised sibling: what is read off the encoded views."""

from keras_simmim.heads.classification_head import ClassificationHead
from keras_simmim.heads.head import Head
from keras_simmim.heads.projector import Projector
from keras_simmim.heads.reconstruction_head import ReconstructionHead
from keras_simmim.heads.transformer_head import TransformerHead

__all__ = ["ClassificationHead", "Head", "Projector", "ReconstructionHead", "TransformerHead"]
