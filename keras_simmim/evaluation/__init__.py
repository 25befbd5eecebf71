"""Measures of embeddings, and pictures of what a model has learned."""

from keras_simmim.evaluation.embed import embed
from keras_simmim.evaluation.embedding_statistics import embedding_statistics
from keras_simmim.evaluation.evaluators import KNN, EmbeddingStatistics, LinearProbe
from keras_simmim.evaluation.knn import knn_accuracy
from keras_simmim.evaluation.linear_probe import linear_probe, linear_probe_blocks
from keras_simmim.evaluation.neighbor_sheet import neighbor_sheet
from keras_simmim.evaluation.reconstruction_sheet import reconstruction_sheet

neighbour_sheet = neighbor_sheet  # its former name

__all__ = [
    "KNN",
    "EmbeddingStatistics",
    "LinearProbe",
    "embed",
    "embedding_statistics",
    "knn_accuracy",
    "linear_probe",
    "linear_probe_blocks",
    "neighbor_sheet",
    "reconstruction_sheet",
]
