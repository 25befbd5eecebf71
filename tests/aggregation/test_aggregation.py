"""The aggregators against NumPy."""

import numpy as np
import numpy_reference
import pytest
from keras import ops

from keras_simmim.aggregation import (
    AttentionAggregation,
    ChannelMean,
    ConcatAggregation,
    MeanAggregation,
    SpatialMean,
)

MEANS = {
    "mean": (MeanAggregation, lambda views: views.mean(axis=1)),
    "channel_mean": (ChannelMean, lambda views: views.mean(axis=1).mean(axis=-1, keepdims=True)),
    "spatial_mean": (SpatialMean, lambda views: views.mean(axis=(1, 2, 3))),
}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("name", MEANS)
def test_an_aggregator_is_its_mean(name, views):
    aggregator_class, expected = MEANS[name]
    aggregator = aggregator_class()
    features = normal(2, views, 3, 4, 5)
    result = ops.convert_to_numpy(aggregator(ops.array(features)))
    np.testing.assert_allclose(result, expected(features), rtol=1e-5, atol=1e-6)
    assert aggregator.compute_output_shape((2, views, 3, 4, 5)) == result.shape
    assert not aggregator.weights


def test_the_mean_of_one_view_is_the_view():
    features = normal(2, 1, 3, 4, 5)
    result = ops.convert_to_numpy(MeanAggregation()(ops.array(features)))
    np.testing.assert_array_equal(result, features[:, 0])


@pytest.mark.parametrize("aggregator_class", [ConcatAggregation, AttentionAggregation])
@pytest.mark.parametrize("views", [1, 3])
def test_learned_aggregators_start_as_the_mean(aggregator_class, views):
    features = normal(2, views, 3, 4, 5)
    aggregator = aggregator_class()
    result = ops.convert_to_numpy(ops.stop_gradient(aggregator(ops.array(features))))
    np.testing.assert_allclose(result, features.mean(axis=1), rtol=1e-5, atol=1e-6)
    assert aggregator.compute_output_shape((2, views, 3, 4, 5)) == result.shape


def test_concatenation_is_one_matrix_for_all_views():
    features, kernel, bias = normal(2, 3, 2, 4, 5), normal(15, 5, seed=1), normal(5, seed=2)
    aggregator = ConcatAggregation()
    aggregator.build(features.shape)
    aggregator.projection.set_weights([kernel, bias])
    result = ops.convert_to_numpy(ops.stop_gradient(aggregator(ops.array(features))))
    expected = sum(features[:, view] @ kernel[5 * view : 5 * view + 5] for view in range(3)) + bias
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_attention_weighs_the_views_by_the_softmax_of_their_scores():
    features, kernel = normal(2, 3, 2, 4, 5), normal(5, 1, seed=1)
    aggregator = AttentionAggregation()
    aggregator.build(features.shape)
    aggregator.scorer.set_weights([kernel])
    result = ops.convert_to_numpy(ops.stop_gradient(aggregator(ops.array(features))))
    weights = numpy_reference.softmax(np.moveaxis(features @ kernel, 1, -1))
    expected = sum(np.take(weights, view, axis=-1) * features[:, view] for view in range(3))
    np.testing.assert_allclose(result, expected, atol=1e-5)
