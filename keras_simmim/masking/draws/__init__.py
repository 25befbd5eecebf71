"""Draws: which blocks of which image are hidden."""

from keras_simmim.masking.draws.draw import Draw
from keras_simmim.masking.draws.last_draw import LastDraw
from keras_simmim.masking.draws.learned_draw import LearnedDraw
from keras_simmim.masking.draws.random_draw import RandomDraw
from keras_simmim.masking.draws.soft_draw import SoftDraw

__all__ = ["Draw", "LastDraw", "LearnedDraw", "RandomDraw", "SoftDraw"]
