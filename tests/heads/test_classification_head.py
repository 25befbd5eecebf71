"""The classification head: softmax(FC(·)) of pooled features."""

import keras
import numpy as np
import numpy_reference
import pytest
from keras import ops

from keras_simmim.heads import ClassificationHead


@pytest.mark.parametrize("shape", [(4, 2, 3, 5), (4, 6, 5), (4, 5)])
@pytest.mark.parametrize("pooling", ["mean", "flatten"])
def test_probabilities_are_softmax_of_a_linear_layer(shape, pooling):
    head = ClassificationHead(3, pooling=pooling)
    head.build((None, *shape[1:]))
    generator = np.random.default_rng(0)
    head.set_weights([generator.normal(size=weight.shape) for weight in head.weights])
    features = generator.normal(size=shape).astype("float32")
    pooled = features.reshape(4, -1)
    if pooling == "mean":
        pooled = features.reshape(4, -1, 5).mean(axis=1)
    kernel, bias = map(ops.convert_to_numpy, head.weights)
    scores = pooled @ kernel + bias
    tensor = ops.array(features)
    assert kernel.shape == (pooled.shape[1], 3)
    assert head.compute_output_shape((None, *shape[1:])) == (None, 3)
    np.testing.assert_allclose(
        ops.convert_to_numpy(head.logits(tensor)), scores, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(head(tensor)), numpy_reference.softmax(scores), rtol=1e-4, atol=1e-6
    )


def test_scores_of_half_precision_features_are_float32():
    head = ClassificationHead(2, dtype="mixed_bfloat16")
    probabilities = head(ops.ones((1, 2, 2, 4)))
    assert keras.backend.standardize_dtype(probabilities.dtype) == "float32"


@pytest.mark.parametrize("num_classes", [1, 0, -3, 2.0, None])
def test_too_few_classes_are_named(num_classes):
    with pytest.raises(ValueError, match=f"num_classes .* got {num_classes}"):
        ClassificationHead(num_classes)


@pytest.mark.parametrize("pooling", ["max", None])
def test_an_unknown_pooling_is_named(pooling):
    with pytest.raises(ValueError, match="pooling") as error:
        ClassificationHead(3, pooling=pooling)
    assert repr(pooling) in str(error.value)


def test_attention_starts_as_the_mean_and_weights_by_softmax():
    features = np.random.default_rng(0).normal(size=(3, 2, 3, 4)).astype("float32")
    head = ClassificationHead(2, pooling="attention")
    head.build(features.shape)
    mean = ClassificationHead(2)
    mean.build(features.shape)
    mean.fully_connected.set_weights(head.fully_connected.get_weights())
    np.testing.assert_allclose(
        ops.convert_to_numpy(head(features)), ops.convert_to_numpy(mean(features)), atol=1e-6
    )
    query = np.array([1.0, -2.0, 0.5, 3.0], "float32")
    head.query.assign(query)
    tokens = features.reshape(3, 6, 4)
    weights = np.exp(tokens @ query / 2)
    pooled = (tokens * (weights / weights.sum(1, keepdims=True))[..., None]).sum(1)
    kernel, bias = head.fully_connected.get_weights()
    given = ops.convert_to_numpy(head.logits(features))
    np.testing.assert_allclose(given, pooled @ kernel + bias, atol=1e-5)
