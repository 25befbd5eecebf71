"""Stage G: mask generators. Every one gives masked views and says what each view hid."""

from keras_simmim.masking.mask_generator import MaskGenerator
from keras_simmim.masking.spatial_masking import SpatialMasking

__all__ = ["MaskGenerator", "SpatialMasking"]
