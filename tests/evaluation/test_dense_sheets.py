"""Pictures of masks and boxes, pixel by pixel."""

import numpy as np
import pytest

from keras_simmim.evaluation import detection_sheet, segmentation_sheet
from keras_simmim.evaluation.lay_out import GAP
from keras_simmim.evaluation.palette import palette
from keras_simmim.evaluation.rgb_pictures import rgb_pictures

pytestmark = pytest.mark.any_backend


class Model:
    """Predicts the same, whatever it sees."""

    def __init__(self, predicted):
        self.predicted = predicted

    def predict(self, images, verbose):
        return self.predicted


def test_colors_can_be_told_apart():
    colors = palette(21).astype(float)
    distances = np.linalg.norm(colors[:, None] - colors, axis=-1) + 1000 * np.eye(21)
    assert distances.min() > 60
    np.testing.assert_array_equal(palette(3), colors[:3])
    assert palette(0).shape == (0, 3)


@pytest.mark.parametrize(("channels", "expected"), [(1, (0, 0, 0)), (2, (0, 0, 0)), (5, (0, 1, 2))])
def test_any_number_of_channels_is_shown(channels, expected):
    images = np.broadcast_to(np.arange(channels) - 0.3, (1, 2, 2, channels))
    assert rgb_pictures(images)[0, 1, 1].tolist() == list(expected)
    assert rgb_pictures(images + 300).max() == 255
    with pytest.raises(ValueError, match=r"images must be \(N, H, W, C\), got \(2, 2,"):
        rgb_pictures(images[0])


def test_masks_are_mixed_with_the_image():
    images = np.full((2, 2, 3, 1), 100, "uint8")
    masks = np.array([[[0, 1, 255]] * 2] * 2)
    probabilities = np.zeros((2, 2, 3, 2))
    probabilities[..., 1] = 1
    colors = np.array([[200, 0, 50], [0, 100, 255]])
    sheet = segmentation_sheet(Model(probabilities), images, masks, scale=2, colors=colors)
    assert sheet.dtype == "uint8"
    left = 6 * len("predicted") + GAP
    assert sheet.shape == (3 * 4 + 2 * GAP, left + 2 * 6 + GAP, 3)
    gray, first, second = [100] * 3, [150, 50, 75], [50, 100, 177]
    for image in (0, 1):
        column = left + image * (6 + GAP)
        truth, shown = sheet[4 + GAP, column : column + 6 : 2], sheet[-1, column : column + 6 : 2]
        assert sheet[0, column : column + 6 : 2].tolist() == [gray] * 3
        assert truth.tolist() == [first, second, gray]
        assert shown.tolist() == [second] * 3
    alone = segmentation_sheet(Model(probabilities), images)
    assert alone.shape == (2 * 2 + GAP, left + 2 * 3 + GAP, 3)
    with pytest.raises(ValueError, match=r"colors must be \(2, 3\)"):
        segmentation_sheet(Model(probabilities), images, colors=colors[:1])
    with pytest.raises(ValueError, match=r"masks must be \(2, 2, 3\), got \(2, 3, 3\)"):
        segmentation_sheet(Model(probabilities), images, np.zeros((2, 3, 3), int))


def test_boxes_are_drawn_on_their_edges():
    images = np.zeros((1, 6, 8, 3), "uint8")
    truth = {"boxes": np.array([[[1, 2, 5, 6], [20, 20, 30, 30.0]]]), "labels": np.array([[0, -2]])}
    found = {
        "boxes": np.array([[[-3, -3, 3.5, 2.5], [0, 0, 8, 6], [0, 0, 8, 6.0]]]),
        "scores": np.array([[0.9, 0.2, 0.9]]),
        "labels": np.array([[1, 0, -1]]),
    }
    sheet = detection_sheet(Model(found), images, truth, score=0.3)
    red, blue = palette(2)
    true, predicted = sheet[:6, -8:], sheet[6 + GAP :, -8:]
    # Columns 1 to 4 of rows 2 to 5, hollow.
    outline = np.zeros((6, 8), bool)
    outline[2:6, 1:5] = True
    outline[3:5, 2:4] = False
    np.testing.assert_array_equal(true, outline[..., None] * red)
    # Cut at the image's edges: columns 0 to 3 of rows 0 to 2.
    outline[:] = False
    outline[:3, :4] = True
    outline[1, 1:3] = False
    np.testing.assert_array_equal(predicted, outline[..., None] * blue)
    assert images.max() == 0
    assert detection_sheet(Model(found), images, score=0.1, scale=3).shape == (18, 34 + 24, 3)
    with pytest.raises(ValueError, match="truth must be of 1 images, got 2"):
        detection_sheet(Model(found), images, {key: truth[key].repeat(2, 0) for key in truth})


def test_ignored_boxes_are_gray():
    truth = {"boxes": np.array([[[0, 0, 2, 2.0]]]), "labels": np.array([[-2]])}
    found = {"boxes": [[]], "scores": [[]], "labels": np.zeros((1, 0), int)}
    sheet = detection_sheet(Model(found), np.zeros((1, 4, 4, 1)), truth)
    assert sheet[0, -4].tolist() == [128] * 3
    assert sheet[4 + GAP :, -4:].max() == 0
