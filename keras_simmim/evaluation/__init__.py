"""What was learned: measures on embeddings, and pictures."""

from keras_simmim.evaluation.embedding_statistics import embedding_statistics
from keras_simmim.evaluation.knn import knn_accuracy
from keras_simmim.evaluation.reconstruction_sheet import reconstruction_sheet

__all__ = ["embedding_statistics", "knn_accuracy", "reconstruction_sheet"]
