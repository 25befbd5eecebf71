"""What was learned: measures on embeddings, and pictures."""

from keras_simmim.evaluation.knn import knn_accuracy
from keras_simmim.evaluation.reconstruction_sheet import reconstruction_sheet

__all__ = ["knn_accuracy", "reconstruction_sheet"]
