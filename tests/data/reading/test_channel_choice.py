"""Which channels are read: by number, by name, all, or converted."""

import numpy as np
import pytest

from keras_simmim.data.reading.channel_choice import ChannelChoice
from keras_simmim.data.reading.picture import Picture, UnfitError, usual_names

pytestmark = pytest.mark.any_backend


def picture(count, names=None, dtype="u1"):
    pixels = np.random.default_rng(0).integers(0, 100, (2, 3, count)).astype(dtype)
    return Picture(pixels, names, (0.0, 255.0))


@pytest.mark.parametrize(
    ("given", "places", "names"),
    [
        ("all", [0, 1, 2, 3], ("red", "green", "blue", "alpha")),
        ((2,), [2], ("blue",)),
        ([3, "red"], [3, 0], ("alpha", "red")),
        (("green", 0), [1, 0], ("green", "red")),
        (np.array([1, 2]), [1, 2], ("green", "blue")),
        (3, [0, 1, 2], ("red", "green", "blue")),
    ],
)
def test_chosen_in_their_order(given, places, names):
    whole = picture(4, usual_names(4))
    found = ChannelChoice(given).of(whole)
    np.testing.assert_array_equal(found.pixels, whole.pixels[..., places])
    assert found.names == names


def test_without_names_there_are_numbers():
    assert ChannelChoice("all").of(picture(5)).names == ("0", "1", "2", "3", "4")
    assert ChannelChoice((4, 1)).of(picture(5)).names == ("4", "1")


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_gray_and_color_become_each_other(dtype):
    gray, color = picture(1, ("gray",), dtype), picture(3, usual_names(3), dtype)
    assert ChannelChoice(3).of(gray).pixels.tolist() == gray.pixels.repeat(3, -1).tolist()
    np.testing.assert_array_equal(ChannelChoice(1).of(gray).pixels, gray.pixels)
    luma = (color.pixels * [0.299, 0.587, 0.114]).sum(-1, keepdims=True)
    found = ChannelChoice(1).of(color).pixels
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_allclose(found, luma, atol=0.51 if dtype != "f4" else 1e-4)
    both = Picture(np.concatenate([gray.pixels] * 2, -1), usual_names(2), None)
    np.testing.assert_array_equal(ChannelChoice(1).of(both).pixels, gray.pixels)


@pytest.mark.parametrize("count", [2, 4, 5, 12])
@pytest.mark.parametrize("given", [1, 3])
def test_what_is_neither_gray_nor_color_is_to_be_chosen_from(count, given):
    with pytest.raises(UnfitError, match=f"has {count} channels: channels='all' reads them all"):
        ChannelChoice(given).of(picture(count))


def test_channels_that_there_are_not_are_named_with_those_that_there_are():
    with pytest.raises(UnfitError, match="has no channel 'nir', but 3: red, green, blue"):
        ChannelChoice(("nir",)).of(picture(3, usual_names(3)))
    with pytest.raises(UnfitError, match="has no channel 3, but 3: 0, 1, 2"):
        ChannelChoice((3,)).of(picture(3))


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        (2, ValueError, "channels must be 1 or 3, got 2; .* by 'all'"),
        (True, ValueError, "channels must be 1 or 3, got True"),
        ("red", ValueError, "channels must be 1 or 3, got 'red'"),
        ((), ValueError, "channels must be different ones, at least one"),
        ((1, 1), ValueError, "channels must be different ones"),
        (2.5, TypeError, "channels must be 1, 3, 'all' or a sequence"),
        ((0.5,), TypeError, "channels must be 1, 3, 'all' or a sequence"),
        (None, TypeError, "channels must be 1, 3, 'all' or a sequence"),
    ],
)
def test_other_arguments_are_refused(given, error, match):
    with pytest.raises(error, match=match):
        ChannelChoice(given)
