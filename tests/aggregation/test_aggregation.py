"""The aggregators against NumPy's means."""

import numpy as np
import pytest
from keras import ops

from keras_simmim.aggregation import ChannelMean, MeanAggregation

AGGREGATORS = {
    "mean": (MeanAggregation, lambda views: views.mean(axis=1)),
    "channel_mean": (ChannelMean, lambda views: views.mean(axis=1).mean(axis=-1, keepdims=True)),
}


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("name", AGGREGATORS)
def test_an_aggregator_is_its_mean(name, views):
    aggregator_class, expected = AGGREGATORS[name]
    aggregator = aggregator_class()
    features = np.random.default_rng(0).normal(size=(2, views, 3, 4, 5)).astype("float32")
    result = ops.convert_to_numpy(aggregator(ops.array(features)))
    np.testing.assert_allclose(result, expected(features), rtol=1e-5, atol=1e-6)
    assert aggregator.compute_output_shape((2, views, 3, 4, 5)) == result.shape
    assert not aggregator.weights


def test_the_mean_of_one_view_is_the_view():
    features = np.random.default_rng(1).normal(size=(2, 1, 3, 4, 5)).astype("float32")
    result = ops.convert_to_numpy(MeanAggregation()(ops.array(features)))
    np.testing.assert_array_equal(result, features[:, 0])
