"""The picture sheet: originals, what was seen and what was filled in, row by row."""

import numpy as np

import keras_simmim as ks


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
    assert sheet.shape == (6, 6, 3)
    assert [int(value) for value in sheet[::2, 0, 0]] == [10, 20, 34]


def test_two_rows_more_for_every_view_and_one_channel_of_five():
    sheet = ks.evaluation.reconstruction_sheet(Model(2, 5), np.zeros((2, 2, 3, 5)), scale=2)
    assert sheet.shape == (20, 12, 1)
    assert [int(value) for value in sheet[::4, 0, 0]] == [10, 20, 30, 20, 30]
