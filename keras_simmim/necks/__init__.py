"""Pyramids over a backbone, for decoders and detectors: maps at several scales, all normed."""

from keras_simmim.necks.feature_pyramid import FeaturePyramid
from keras_simmim.necks.normed_maps import NormedMaps
from keras_simmim.necks.simple_pyramid import SimplePyramid

__all__ = ["FeaturePyramid", "NormedMaps", "SimplePyramid"]
