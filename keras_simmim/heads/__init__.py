"""Stage C and its self-supervised sibling: what is read off the encoded views."""

from keras_simmim.heads.classification_head import ClassificationHead
from keras_simmim.heads.reconstruction_head import ReconstructionHead

__all__ = ["ClassificationHead", "ReconstructionHead"]
