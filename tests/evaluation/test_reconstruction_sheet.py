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


def test_two_rows_more_for_every_view_and_three_channels_of_five():
    sheet = ks.evaluation.reconstruction_sheet(Model(2, 5), np.zeros((2, 2, 3, 5)), scale=2)
    left = 6 * len("seen, view 1") + GAP
    assert sheet.shape == (5 * 4 + 4 * GAP, left + 2 * 6 + GAP, 3)
    assert sheet[:: 4 + GAP, -1, 0].tolist() == [10, 20, 30, 20, 30]


class Channels(Model):
    """Answers with channels that tell their numbers."""

    def reconstruct(self, images, step):
        pictures = super().reconstruct(images, step)
        return {name: each + np.arange(self.channels) for name, each in pictures.items()}


@pytest.mark.parametrize(
    ("channels", "shown", "expected"),
    [
        (1, None, [10]),
        (2, None, [10]),
        (2, (0, 1), [10, 11, 0]),
        (2, (1,), [11]),
        (3, (2, 1, 0), [12, 11, 10]),
        (12, None, [10, 11, 12]),
        (12, (7, 3, 11), [17, 13, 21]),
        (12, (4, 4, 4), [14, 14, 14]),
    ],
)
def test_channels_are_shown_as_they_are_chosen(channels, shown, expected):
    images = np.zeros((2, 2, 3, channels))
    options = {"shown_channels": shown}
    sheet = ks.evaluation.reconstruction_sheet(Channels(1, channels), images, **options)
    assert sheet[0, -1].tolist() == expected  # of the last original


@pytest.mark.parametrize("shown", [(), (0, 1, 2, 3), (5,), (-1, 0, 1), (0.5,)])
def test_channels_that_there_are_not_are_refused(shown):
    with pytest.raises(ValueError, match="shown_channels must be one to three numbers from 0 to 4"):
        ks.evaluation.reconstruction_sheet(
            Channels(1, 5), np.zeros((2, 2, 3, 5)), shown_channels=shown
        )


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
