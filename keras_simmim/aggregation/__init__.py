"""Stage H: aggregators bring the encoded views of one image together for the classifier."""

from keras_simmim.aggregation.channel_mean import ChannelMean
from keras_simmim.aggregation.mean_aggregation import MeanAggregation

__all__ = ["ChannelMean", "MeanAggregation"]
