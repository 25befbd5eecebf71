"""The picture sheet: originals, what was seen and what was filled in, row by row."""

import numpy as np
import pytest

import keras_simmim as ks
from keras_simmim.evaluation.lay_out import GAP, lay_out


class Model:
    """Answers `reconstruct` with pictures of one gray each."""

    def __init__(self, views, channels):
        self.views, self.channels = views, channels

    def reconstruct(self, images, step):
        shape = (len(images), *([self.views] if self.views > 1 else []), 2, 3, self.channels)
        return {
            "original": np.full((len(images), 2, 3, self.channels), 10, "uint8"),
            "masked": np.full(shape, 20, "uint8"),
            "reconstruction": np.full(shape, 30 + step, "uint8"),
        }


def test_three_rows_of_two_images():
    sheet = ks.evaluation.reconstruction_sheet(Model(1, 3), np.zeros((2, 2, 3, 3)), step=4)
    left = 6 * len("filled in") + GAP
    assert sheet.shape == (3 * 2 + 2 * GAP, left + 2 * 3 + GAP, 3)
    assert sheet[:: 2 + GAP, left, 0].tolist() == [10, 20, 34]
    assert sheet[:, left + 3 : left + 3 + GAP].min() == 255
    assert sheet[2 : 2 + GAP].min() == 255


def test_two_rows_more_for_every_view_and_one_channel_of_five():
    sheet = ks.evaluation.reconstruction_sheet(Model(2, 5), np.zeros((2, 2, 3, 5)), scale=2)
    left = 6 * len("seen, view 1") + GAP
    assert sheet.shape == (5 * 4 + 4 * GAP, left + 2 * 6 + GAP, 1)
    assert sheet[:: 4 + GAP, -1, 0].tolist() == [10, 20, 30, 20, 30]


def test_names_stand_beside_their_rows():
    rows = [np.full((1, 16, 16, 1), shade, "uint8") for shade in (100, 200)]
    sheet = lay_out(rows, names=["", "after"])
    names = sheet[..., 0][:, : 6 * len("after")]
    assert names[:16].min() == 255
    assert names[16 + GAP :].min() < 100
    with pytest.raises(ValueError, match=r"names must be 2, one for each row, got \['one'\]"):
        lay_out(rows, names=["one"])


def test_titles_stand_above_their_columns():
    sheet = lay_out([np.zeros((2, 16, 40, 1), "uint8")], titles=["", "second"])[..., 0]
    assert sheet.shape == (12 + GAP + 16, 40 + GAP + 40)
    assert sheet[:12, :40].min() == 255
    assert sheet[:12, 40 + GAP :].min() < 100
