"""Stage G: mask generators. Every one gives masked views and says what each view hid."""

from keras_simmim.masking.color_masking import ColorMasking
from keras_simmim.masking.iterative_masking import IterativeMasking
from keras_simmim.masking.learned_masking import LearnedMasking
from keras_simmim.masking.mask_generator import MaskGenerator
from keras_simmim.masking.soft_masking import SoftMasking
from keras_simmim.masking.spatial_masking import SpatialMasking
from keras_simmim.masking.texture_masking import TextureMasking

__all__ = [
    "ColorMasking",
    "IterativeMasking",
    "LearnedMasking",
    "MaskGenerator",
    "SoftMasking",
    "SpatialMasking",
    "TextureMasking",
]
