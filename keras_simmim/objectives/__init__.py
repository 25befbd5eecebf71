"""What teaches: each objective measures one thing in what a forward pass gave."""

from keras_simmim.objectives.classification import Classification
from keras_simmim.objectives.masked_pass import MaskedPass
from keras_simmim.objectives.objective import Measure, Objective
from keras_simmim.objectives.ranking import Ranking
from keras_simmim.objectives.reconstruction import Reconstruction
from keras_simmim.objectives.running_scale import RunningScale

__all__ = [
    "Classification",
    "MaskedPass",
    "Measure",
    "Objective",
    "Ranking",
    "Reconstruction",
    "RunningScale",
]
