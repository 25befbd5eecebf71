"""True boxes as a loss takes them."""

import numpy as np
import pytest
from keras import ops

from keras_simmim.objectives.integer_boxes import integer_boxes


def read(boxes, labels, classes=3):
    truth = {"boxes": np.array(boxes), "labels": np.array(labels)}
    return [ops.convert_to_numpy(part) for part in integer_boxes(truth, classes, (8, 16))]


def test_boxes_end_where_the_image_does_and_padding_holds_anything():
    boxes = [[[-3, 2, 20, 9], [4, 4, 4, 4], [17, 0, 20, 5], [np.nan, 9, 0, 0]]]
    boxes, labels, wrong = read(boxes, [[2, -2, 1, -1]])
    np.testing.assert_array_equal(boxes[0, 0], [0, 2, 16, 8])
    assert labels.tolist() == [[2, -1, -1, -1]]
    np.testing.assert_array_equal(boxes[0, 3], 0)
    assert wrong.tolist() == [0]
    assert (boxes.dtype, labels.dtype, wrong.dtype) == ("float32", "int32", "float32")


@pytest.mark.parametrize(
    ("box", "label"),
    [
        ([1, 1, 5, 5], 3),
        ([1, 1, 5, 5], -3),
        ([1, 1, 5, 5], 0.5),
        ([5, 1, 1, 5], 0),
        ([1, 5, 5, 1], -2),
        ([1, 1, 5, np.nan], 0),
    ],
)
def test_an_image_of_a_wrong_box_is_marked(box, label):
    right = [1.0, 1, 5, 5]
    _, labels, wrong = read([[right, box], [right, right]], [[1, label], [0.0, 2]])
    assert np.isnan(wrong).tolist() == [True, False]
    assert labels.max() < 3


def test_no_row_becomes_one_of_padding():
    boxes, labels, wrong = read(np.zeros((2, 0, 4)), np.zeros((2, 0), int))
    assert boxes.shape == (2, 1, 4)
    assert labels.tolist() == [[-1], [-1]]
    assert wrong.tolist() == [0, 0]


def test_other_names_and_shapes_are_refused():
    with pytest.raises(ValueError, match="got ndarray"):
        integer_boxes(np.zeros((1, 2, 4)), 3, (8, 16))
    with pytest.raises(ValueError, match=r"got \['boxes'\]"):
        integer_boxes({"boxes": np.zeros((1, 2, 4))}, 3, (8, 16))
    with pytest.raises(ValueError, match=r"got \(1, 2, 4\) and \(1, 3\)"):
        read(np.zeros((1, 2, 4)), np.zeros((1, 3)))
