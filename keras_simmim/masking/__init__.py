"""Hide parts of features or images, the stage G: masked views, and what each of them hid.

    modalities  what a hidden block loses: all of itself, its color, its texture
    draws       which blocks are hidden: random ones, those that are hard to predict, all a little
    rounds      how many of them, in how many views: nested ones, or ones drawn anew

A `MaskGenerator` is made of these; `SpatialMasking` and the other maskings are short for one.
"""

from keras_simmim.masking.color_masking import ColorMasking
from keras_simmim.masking.draws import Draw, LastDraw, LearnedDraw, RandomDraw, SoftDraw
from keras_simmim.masking.independent_views import IndependentViews
from keras_simmim.masking.iterative_masking import IterativeMasking
from keras_simmim.masking.learned_masking import LearnedMasking
from keras_simmim.masking.mask_generator import MaskGenerator
from keras_simmim.masking.modalities import Color, Field, Modality, Spatial, Texture
from keras_simmim.masking.rounds import Rounds
from keras_simmim.masking.soft_masking import SoftMasking
from keras_simmim.masking.spatial_masking import SpatialMasking
from keras_simmim.masking.texture_masking import TextureMasking

__all__ = [
    "Color",
    "ColorMasking",
    "Draw",
    "Field",
    "IndependentViews",
    "IterativeMasking",
    "LastDraw",
    "LearnedDraw",
    "LearnedMasking",
    "MaskGenerator",
    "Modality",
    "RandomDraw",
    "Rounds",
    "SoftDraw",
    "SoftMasking",
    "Spatial",
    "SpatialMasking",
    "Texture",
    "TextureMasking",
]
