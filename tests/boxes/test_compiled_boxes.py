"""Every function of boxes is one graph to the compiler, and gives there what it gives eagerly."""

import box_reference
import keras
import numpy as np
import pytest
from compiled import compiled
from keras import ops

from keras_simmim.boxes.anchors import anchors as make_anchors
from keras_simmim.boxes.ciou import ciou
from keras_simmim.boxes.clip import clip
from keras_simmim.boxes.hard_negatives import hard_negatives
from keras_simmim.boxes.iou import coverage
from keras_simmim.boxes.match_by_overlap import match_by_overlap
from keras_simmim.boxes.match_by_task import match_by_task
from keras_simmim.boxes.non_maximum_suppression import non_maximum_suppression
from keras_simmim.boxes.offsets import decode_offsets, encode_offsets
from keras_simmim.boxes.points import points
from keras_simmim.boxes.roi_align import roi_align
from keras_simmim.boxes.sample import sample

SIZE = (32, 32)


def matching(boxes, predicted, labels, anchors, centers):
    return match_by_overlap(anchors, boxes, labels, high=0.5, low=0.3)


def by_task(boxes, predicted, labels, anchors, centers):
    scores = ops.sigmoid(predicted[..., :3] / 32.0)
    return match_by_task(scores, predicted, centers, boxes, labels)


def negatives(boxes, predicted, labels, anchors, centers):
    match = matching(boxes, predicted, labels, anchors, centers)
    return hard_negatives(predicted[..., 0], match.positive, match.negative, minimum=2)


def sampling(boxes, predicted, labels, anchors, centers):
    match = matching(boxes, predicted, labels, anchors, centers)
    return sample(match.positive, match.negative, 8, 0.25, 3, labels[0, 0])


def offsets(boxes, predicted, labels, anchors, centers):
    return clip(decode_offsets(encode_offsets(predicted, anchors), anchors), SIZE)


def overlaps(boxes, predicted, labels, anchors, centers):
    return coverage(predicted, boxes), ciou(predicted[:, :4], boxes)


def regions(boxes, predicted, labels, anchors, centers):
    maps = ops.reshape(predicted[:, :16], (-1, 4, 4, 4))
    return roi_align([maps, maps[:, ::2, ::2]], [8, 16], clip(boxes, SIZE), size=3)


def suppression(boxes, predicted, labels, anchors, centers):
    scores = ops.sigmoid(predicted[..., :2] / 32.0)
    return non_maximum_suppression(predicted, scores, count=9, candidates=16)


FUNCTIONS = [matching, by_task, negatives, sampling, offsets, overlaps, regions, suppression]


@pytest.mark.fast_on("tensorflow")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_compiled_is_as_eager(function):
    if function is suppression and keras.backend.backend() == "torch":
        pytest.skip("torch repeats a loop until it is settled in Python")
    generator = np.random.default_rng(2)
    boxes = ops.array(box_reference.random_boxes(generator, 2, 4, side=32.0))
    predicted = ops.array(box_reference.random_boxes(generator, 2, 20, side=32.0))
    labels = ops.array(np.array([[2, 0, -1, -2], [1, 1, 2, 0]], "int32"))
    centers, _ = points(SIZE, [8, 16])
    starts = make_anchors(SIZE, [8, 16], scales=[2.0], ratios=[1.0])
    arguments = (boxes, predicted, labels, ops.array(starts), ops.array(centers))
    eager = keras.tree.flatten(function(*arguments))
    fast = keras.tree.flatten(compiled(function)(*arguments))
    for one, other in zip(eager, fast, strict=True):
        np.testing.assert_allclose(
            ops.convert_to_numpy(other), ops.convert_to_numpy(one), atol=1e-5
        )
