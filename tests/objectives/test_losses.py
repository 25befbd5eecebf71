"""Running scales and the loss of partly labelled batches."""

import numpy as np
import numpy_reference
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_simmim.objectives import Classification, MaskedPass, RunningScale


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


@given(
    values=st.lists(st.lists(st.floats(0, 100), min_size=2, max_size=2), min_size=1, max_size=6),
    momentum=st.floats(0, 0.99),
)
def test_the_scale_is_the_weighted_mean_of_what_was_seen(values, momentum):
    scale = RunningScale(momentum, floor=0.05)
    for seen in range(1, len(values) + 1):
        weights = momentum ** np.arange(seen)[::-1]
        expected = np.maximum(np.average(values[:seen], axis=0, weights=weights), 0.05)
        result = scale(ops.array(values[seen - 1], dtype="float32"), training=True)
        np.testing.assert_allclose(numbers(result), expected, rtol=1e-3)
    # Evaluation keeps it.
    result = scale(ops.array([1000.0, 1000.0]), training=False)
    np.testing.assert_allclose(numbers(result), expected, rtol=1e-3)


def test_before_any_training_the_scale_is_the_value():
    result = RunningScale()(ops.array([3.0, 0.001]), training=False)
    np.testing.assert_allclose(numbers(result), [3.0, 0.05])


@pytest.mark.parametrize("arguments", [{"momentum": 1.0}, {"momentum": -0.1}, {"floor": 0}])
def test_bad_arguments_are_named(arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match=f"{name} must be .* got {value}"):
        RunningScale(**arguments)


def test_unlabelled_images_do_not_count():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(5, 3)).astype("float32")
    labels, weight = np.array([2, -1, 0, 1, -1]), np.array([1, 5, 2, 0.5, 1], "float32")
    nothing = dict.fromkeys(("pixels", "masked", "hidden", "encoded", "prediction", "step"))
    found = MaskedPass(labels=ops.array(labels), weights=ops.array(weight), **nothing)
    objective = Classification(lambda *_: ops.array(logits))
    assert objective.measure(found._replace(labels=None), training=True) == {}
    loss, accuracy = objective.measure(found, training=True).values()
    values = [float(numbers(x)) for x in (loss.mean(), accuracy.mean(), loss.total)]
    probabilities = numpy_reference.softmax(logits)
    known = labels >= 0
    entropy = -np.log(probabilities[np.arange(5), labels])[known]
    right = (logits.argmax(axis=1) == labels)[known]
    expected = [np.average(x, weights=weight[known]) for x in (entropy, right)]
    assert values == pytest.approx([*expected, 3.5], rel=1e-5)
