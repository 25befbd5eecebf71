"""What was learned: measures on embeddings, and pictures."""

from keras_simmim.evaluation.embed import embed
from keras_simmim.evaluation.embedding_statistics import embedding_statistics
from keras_simmim.evaluation.evaluators import KNN, EmbeddingStatistics, LinearProbe
from keras_simmim.evaluation.knn import knn_accuracy
from keras_simmim.evaluation.linear_probe import linear_probe, linear_probe_blocks
from keras_simmim.evaluation.neighbour_sheet import neighbour_sheet
from keras_simmim.evaluation.reconstruction_sheet import reconstruction_sheet

__all__ = [
    "KNN",
    "EmbeddingStatistics",
    "LinearProbe",
    "embed",
    "embedding_statistics",
    "knn_accuracy",
    "linear_probe",
    "linear_probe_blocks",
    "neighbour_sheet",
    "reconstruction_sheet",
]
