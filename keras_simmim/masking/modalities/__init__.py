"""Bases of a block: what masking can hide of it."""

from keras_simmim.masking.modalities.color import Color
from keras_simmim.masking.modalities.field import Field
from keras_simmim.masking.modalities.modality import Modality
from keras_simmim.masking.modalities.spatial import Spatial
from keras_simmim.masking.modalities.texture import Texture

__all__ = ["Color", "Field", "Modality", "Spatial", "Texture"]
