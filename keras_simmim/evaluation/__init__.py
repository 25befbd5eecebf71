"""Measures of embeddings, masks, boxes and rankings, and pictures of what a model has learned."""

from keras_simmim.evaluation.anomaly_map import anomaly_map
from keras_simmim.evaluation.classification_scores import classification_scores
from keras_simmim.evaluation.coco_metrics import coco_metrics
from keras_simmim.evaluation.detection_quality import DetectionQuality
from keras_simmim.evaluation.detection_sheet import detection_sheet
from keras_simmim.evaluation.embed import embed
from keras_simmim.evaluation.embedding_statistics import embedding_statistics
from keras_simmim.evaluation.evaluators import KNN, EmbeddingStatistics, LinearProbe
from keras_simmim.evaluation.knn import knn_accuracy
from keras_simmim.evaluation.linear_probe import linear_probe, linear_probe_blocks
from keras_simmim.evaluation.mean_iou import mean_iou
from keras_simmim.evaluation.neighbor_sheet import neighbor_sheet
from keras_simmim.evaluation.ranking_metrics import ranking_metrics
from keras_simmim.evaluation.reconstruction_sheet import reconstruction_sheet
from keras_simmim.evaluation.segmentation_quality import SegmentationQuality
from keras_simmim.evaluation.segmentation_sheet import segmentation_sheet

neighbour_sheet = neighbor_sheet  # its former name

__all__ = [
    "KNN",
    "DetectionQuality",
    "EmbeddingStatistics",
    "LinearProbe",
    "SegmentationQuality",
    "anomaly_map",
    "classification_scores",
    "coco_metrics",
    "detection_sheet",
    "embed",
    "embedding_statistics",
    "knn_accuracy",
    "linear_probe",
    "linear_probe_blocks",
    "mean_iou",
    "neighbor_sheet",
    "ranking_metrics",
    "reconstruction_sheet",
    "segmentation_sheet",
]
