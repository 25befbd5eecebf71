"""Suppression without a loop over boxes keeps what the greedy loop keeps."""

import box_reference
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_simmim.boxes.non_maximum_suppression import non_maximum_suppression

pytestmark = pytest.mark.fast_on("torch")


def suppressed(boxes, scores, **arguments):
    result = non_maximum_suppression(ops.array(boxes), ops.array(scores), **arguments)
    return {name: ops.convert_to_numpy(value) for name, value in result.items()}


def greedy(boxes, scores, threshold, minimum_score, count, candidates):
    """One image: rows (score, label, box) of what is kept."""
    pairs = sorted(
        ((scores[row, label], label, row) for row, label in np.ndindex(*scores.shape)),
        reverse=True,
    )
    kept: list = []
    for score, label, row in pairs[:candidates]:
        box = boxes[row, label] if boxes.ndim == 3 else boxes[row]
        overlaps = [box_reference.iou(box, other) for _, same, other in kept if same == label]
        if score > minimum_score and all(overlap <= threshold for overlap in overlaps):
            kept.append((score, label, box))
    return kept[:count]


def check(result, boxes, scores, **arguments):
    for image in range(len(boxes)):
        expected = greedy(boxes[image], scores[image], **arguments)
        padding = arguments["count"] - len(expected)
        assert result["labels"][image].tolist() == [row[1] for row in expected] + [-1] * padding
        assert result["scores"][image].tolist() == [row[0] for row in expected] + [0] * padding
        rows = [row[2].tolist() for row in expected] + [[0] * 4] * padding
        assert result["boxes"][image].tolist() == rows


@pytest.mark.fast_on("torch")
@given(
    st.integers(0, 2**31),
    st.sampled_from([(0.5, 0.05, 10, 300), (0.3, 0.4, 100, 40), (0.1, 0.0, 5, 25)]),
    st.sampled_from([1, 3]),
    st.booleans(),
)
def test_random_boxes_with_many_overlaps(seed, numbers, classes, own):
    arguments = dict(
        zip(("threshold", "minimum_score", "count", "candidates"), numbers, strict=True)
    )
    generator = np.random.default_rng(seed)
    shape = (2, 30, classes) if own else (2, 30)
    boxes = box_reference.random_boxes(generator, *shape, side=30.0)
    scores = generator.permutation(60 * classes).reshape(2, 30, classes) / (60 * classes)
    scores = scores.astype("float32")
    check(suppressed(boxes, scores, **arguments), boxes, scores, **arguments)


def test_a_chain_is_settled_link_by_link():
    # Each overlaps the next by 0.6: greedily every second one stays.
    lefts = np.arange(40, dtype="float32") * 2
    boxes = np.stack([lefts, 0 * lefts, lefts + 8, 0 * lefts + 8], axis=-1)[None]
    scores = np.linspace(0.9, 0.1, 40, dtype="float32")[None, :, None]
    arguments = {"threshold": 0.5, "minimum_score": 0.05, "count": 30, "candidates": 300}
    result = suppressed(boxes, scores, **arguments)
    assert (result["labels"] == 0).sum() == 20
    check(result, boxes, scores, **arguments)


def test_nothing_is_found_where_no_score_is_high_enough():
    boxes = np.tile(np.array([0, 0, 8, 8], "float32"), (2, 3, 1))
    result = suppressed(boxes, np.zeros((2, 3, 2), "float32"), count=4)
    assert (result["labels"] == -1).all()
    assert not result["boxes"].any()
    assert not result["scores"].any()
    assert result["boxes"].shape == (2, 4, 4)
    assert result["labels"].dtype == "int32"


@pytest.mark.only_on("tensorflow")
def test_a_graph_of_any_batch():
    import tensorflow as tf

    specs = [tf.TensorSpec((None, 12, 4)), tf.TensorSpec((None, 12, 2))]
    graph = tf.function(
        lambda boxes, scores: non_maximum_suppression(boxes, scores, count=7), specs
    )
    generator = np.random.default_rng(0)
    arguments = {"threshold": 0.5, "minimum_score": 0.05, "count": 7, "candidates": 300}
    for batch in (1, 3):
        boxes = box_reference.random_boxes(generator, batch, 12, side=20.0)
        scores = generator.random((batch, 12, 2), dtype="float32")
        result = {name: value.numpy() for name, value in graph(boxes, scores).items()}
        check(result, boxes, scores, **arguments)
    outputs = graph.get_concrete_function().structured_outputs
    assert outputs["boxes"].shape.as_list() == [None, 7, 4]
    assert outputs["labels"].shape.as_list() == [None, 7]


@pytest.mark.only_on("jax")
def test_gradients_go_past_it():
    import jax

    boxes = box_reference.random_boxes(np.random.default_rng(0), 1, 6, side=20.0)

    def loss(boxes):
        found = non_maximum_suppression(boxes, ops.ones((1, 6, 1)), count=3)
        return ops.sum(found["boxes"]) + ops.sum(boxes)

    assert (np.array(jax.jit(jax.grad(loss))(ops.array(boxes))) == 1).all()


@pytest.mark.long
@pytest.mark.only_on("tensorflow")
def test_keras_hub_keeps_the_same():
    import keras_hub

    generator = np.random.default_rng(1)
    boxes = box_reference.random_boxes(generator, 4, 80, side=60.0)
    scores = generator.random((4, 80, 1), dtype="float32")
    layer = keras_hub.layers.NonMaxSuppression("xyxy", False, 0.5, 0.05, max_detections=30)
    theirs = keras.tree.map_structure(np.array, layer(ops.array(boxes), ops.array(scores)))
    ours = suppressed(boxes, scores, count=30)
    for image, count in enumerate(theirs["num_detections"]):
        assert (ours["labels"][image] == 0).sum() == count
        np.testing.assert_allclose(
            ours["boxes"][image, :count], theirs["boxes"][image, :count], atol=1e-5
        )
        np.testing.assert_allclose(
            ours["scores"][image, :count], theirs["confidence"][image, :count]
        )
