"""Stage H: aggregators bring the encoded views of one image together for the classifier."""

from keras_simmim.aggregation.attention_aggregation import AttentionAggregation
from keras_simmim.aggregation.channel_mean import ChannelMean
from keras_simmim.aggregation.concat_aggregation import ConcatAggregation
from keras_simmim.aggregation.mean_aggregation import MeanAggregation
from keras_simmim.aggregation.spatial_mean import SpatialMean

__all__ = [
    "AttentionAggregation",
    "ChannelMean",
    "ConcatAggregation",
    "MeanAggregation",
    "SpatialMean",
]
