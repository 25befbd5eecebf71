"""The two looks of Faster R-CNN: anchors of all levels, regions of one, and what lies between."""

import keras
import numpy as np
import pytest
from box_reference import iou
from keras import ops

from keras_simmim.boxes.anchors import anchors as make_anchors
from keras_simmim.boxes.roi_align import roi_align
from keras_simmim.heads import BoxHead, Proposals, RPNHead

pytestmark = pytest.mark.fast_on("torch")


def random(*shapes):
    generator = np.random.default_rng(0)
    return [ops.array(generator.normal(size=shape).astype("float32")) for shape in shapes]


def test_the_order_of_scores_and_offsets_is_that_of_the_anchors():
    maps = random((2, 4, 6, 5), (2, 2, 3, 5))
    head = RPNHead(3, 8)
    objectness, offsets = map(ops.convert_to_numpy, head(maps))
    count = len(make_anchors((16, 24), [4, 8]))
    assert objectness.shape == (2, count)
    assert offsets.shape == (2, count, 4)
    # What stands at row 1, column 2 of the first level and at row 1, column 0 of the second.
    for level, row, column, first in ((0, 1, 2, 8 * 3), (1, 1, 0, (24 + 3) * 3)):
        hidden = ops.gelu(head.hidden(maps[level]))
        scores = ops.convert_to_numpy(head.objectness(hidden))[:, row, column]
        moved = ops.convert_to_numpy(head.offsets(hidden))[:, row, column]
        np.testing.assert_allclose(objectness[:, first : first + 3], scores, rtol=1e-5)
        found = offsets[:, first : first + 3].reshape(2, 12)
        np.testing.assert_allclose(found, moved, rtol=1e-5)


def test_maps_of_several_widths_are_refused():
    with pytest.raises(ValueError, match=r"maps must have one width, got \[4, 8\]"):
        RPNHead()(random((1, 4, 4, 4), (1, 2, 2, 8)))


@pytest.mark.parametrize("given", [{"num_anchors": 0}, {"width": 2.5}])
def test_bad_arguments_of_the_first_look(given):
    with pytest.raises(ValueError, match=f"{next(iter(given))} must be a positive integer"):
        RPNHead(**given)


def test_proposals_are_the_best_that_do_not_overlap():
    generator = np.random.default_rng(1)
    starts = make_anchors((24, 32), [4, 8], scales=[3.0])
    objectness = generator.normal(size=(2, len(starts))).astype("float32")
    offsets = generator.normal(0, 0.3, (2, len(starts), 4)).astype("float32")
    layer = Proposals((24, 32), count=12, candidates=60, threshold=0.4)
    boxes, valid = map(ops.convert_to_numpy, layer(objectness, offsets, starts))
    assert boxes.shape == (2, 12, 4)
    assert valid.dtype == bool

    centers, sides = (starts[:, :2] + starts[:, 2:]) / 2, starts[:, 2:] - starts[:, :2]
    for image in range(2):
        middle = centers + offsets[image, :, :2] * sides
        halves = np.exp(offsets[image, :, 2:]) * sides / 2
        decoded = np.concatenate([middle - halves, middle + halves], -1)
        decoded = np.clip(decoded, 0, [32, 24, 32, 24])
        kept = []
        for row in np.argsort(-objectness[image])[:60]:
            if all(iou(decoded[row], decoded[other]) <= 0.4 for other in kept):
                kept.append(row)
        kept = kept[:12]
        assert valid[image].tolist() == [True] * len(kept) + [False] * (12 - len(kept))
        np.testing.assert_allclose(boxes[image][: len(kept)], decoded[kept], rtol=1e-4, atol=1e-4)
        assert not boxes[image][len(kept) :].any()


def test_what_lies_outside_the_image_is_not_proposed():
    anchors = np.float32([[40, 40, 48, 48], [0, 0, 8, 8], [31.5, 0, 40, 8]])
    layer = Proposals((32, 32), count=3)
    boxes, valid = layer(np.float32([[9, 0, 8]]), np.zeros((1, 3, 4), "float32"), anchors)
    assert ops.convert_to_numpy(valid).tolist() == [[True, False, False]]
    assert ops.convert_to_numpy(boxes)[0, 0].tolist() == [0, 0, 8, 8]


@pytest.mark.parametrize("given", [{"count": 0}, {"candidates": 1.5}, {"threshold": 2}])
def test_bad_arguments_of_proposals(given):
    with pytest.raises(ValueError, match=f"{next(iter(given))} must be"):
        Proposals((8, 8), **given)


def test_a_region_is_named_by_what_it_shows():
    maps = random((2, 6, 8, 5), (2, 3, 4, 5))
    boxes = ops.array(np.float32([[[0, 0, 8, 9], [3, 4, 30, 24], [0, 0, 0, 0]]] * 2))
    head = BoxHead(4, [4, 8], width=6, region_size=3)
    scores, offsets = map(ops.convert_to_numpy, head(maps, boxes))
    hidden = ops.convert_to_numpy(roi_align(maps, [4, 8], boxes, 3)).reshape(2, 3, 45)
    for layer in head.hidden:
        kernel, bias = layer.get_weights()
        hidden = ops.convert_to_numpy(ops.gelu(hidden @ kernel + bias))
    for layer, found, width in ((head.scoring, scores, 5), (head.offsets, offsets, 4)):
        kernel, bias = layer.get_weights()
        assert found.shape == (2, 3, width)
        np.testing.assert_allclose(found, hidden @ kernel + bias, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("given", [{"num_classes": 0}, {"width": 2.5}, {"region_size": -1}])
def test_bad_arguments_of_the_second_look(given):
    with pytest.raises(ValueError, match=f"{next(iter(given))} must be a positive integer"):
        BoxHead(**{"num_classes": 2, "strides": [4], **given})


def test_boxes_are_exact_in_half_precision():
    boxes = ops.array(np.float32([[[0, 0, 255, 257], [1, 1, 513, 515]]]))
    maps = random((1, 256, 256, 4))
    exact = BoxHead(2, [2], 4, 3)
    rough = BoxHead(2, [2], 4, 3, dtype="mixed_bfloat16")
    rough.build([maps[0].shape])
    exact.build([maps[0].shape])
    rough.set_weights(exact.get_weights())
    for one, other in zip(exact(maps, boxes), rough(maps, boxes), strict=True):
        assert keras.backend.standardize_dtype(other.dtype) == "float32"
        np.testing.assert_allclose(
            ops.convert_to_numpy(one), ops.convert_to_numpy(other), atol=2e-2
        )
