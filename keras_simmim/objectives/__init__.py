"""What teaches: losses that know no network, and how they are weighed."""

from keras_simmim.objectives.agreement import Agreement
from keras_simmim.objectives.classification import Classification
from keras_simmim.objectives.hidden_tokens import HiddenTokens
from keras_simmim.objectives.jigsaw import Jigsaw
from keras_simmim.objectives.masked_pass import MaskedPass
from keras_simmim.objectives.objective import Measure, Objective
from keras_simmim.objectives.parts import Parts
from keras_simmim.objectives.ranking import Ranking
from keras_simmim.objectives.reconstruction import Reconstruction
from keras_simmim.objectives.running_scale import RunningScale
from keras_simmim.objectives.uniformity import Uniformity

__all__ = [
    "Agreement",
    "Classification",
    "HiddenTokens",
    "Jigsaw",
    "MaskedPass",
    "Measure",
    "Objective",
    "Parts",
    "Ranking",
    "Reconstruction",
    "RunningScale",
    "Uniformity",
]
