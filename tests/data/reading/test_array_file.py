"""Arrays in NumPy's files."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_simmim.data.reading.read_picture import read_picture

pytestmark = pytest.mark.any_backend

MOST = 10**6
TYPES = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", ">u2", ">f4")


def saved(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def zipped(compressed=False, **arrays):
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


@given(st.sampled_from(TYPES), st.integers(0, 13), st.booleans(), st.booleans())
def test_every_type_and_number_of_channels(dtype, channels, fortran, compressed):
    shape = (5, 7, channels) if channels else (5, 7)
    values = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    values = np.asfortranarray(values) if fortran else values
    for contents in (saved(values), zipped(compressed, image=values)):
        found = read_picture(contents, MOST)
        assert found.pixels.dtype == np.dtype(dtype).newbyteorder("=")
        np.testing.assert_array_equal(found.pixels, values.reshape(5, 7, -1))
        assert found.names == (("gray",) if channels < 2 else None)
        is_float = np.dtype(dtype).kind == "f"
        kind = np.dtype(dtype)
        limits = None if is_float else (float(np.iinfo(kind).min), float(np.iinfo(kind).max))
        assert found.limits == limits


def test_truths_are_black_and_white():
    found = read_picture(saved(np.array([[True, False]])), MOST)
    assert found.pixels[..., 0].tolist() == [[255, 0]]
    assert found.is_display


def test_of_several_arrays_the_one_that_is_called_image():
    first, second = np.zeros((2, 3)), np.ones((2, 3))
    assert read_picture(zipped(mask=first, image=second), MOST).pixels.max() == 1
    assert read_picture(zipped(anything=second), MOST).pixels.max() == 1
    file = io.BytesIO()
    np.savez(file, second, first)
    assert read_picture(file.getvalue(), MOST).pixels.max() == 1
    with pytest.raises(ValueError, match="holds 2 arrays, and none called 'image'"):
        read_picture(zipped(mask=first, depth=second), MOST)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4, 5), ()])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"neither \(height, width\) nor \(height, width, channel"):
        read_picture(saved(np.zeros(shape)), MOST)


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.zeros((2, 3), "c8"), "holds complex64, and neither integers nor floats"),
        (np.full((2, 3), "a"), "neither integers nor floats"),
        (np.full((2, 3), None), "holds object, and neither"),
        (np.zeros((0, 3)), "states 0×3 pixels of 1 channels"),
        (np.zeros((2, 3), [("a", "u1")]), "neither integers nor floats"),
    ],
)
def test_what_is_no_image_is_refused(array, match):
    with pytest.raises(ValueError, match=match):
        read_picture(saved(array), MOST)


def test_refused_before_it_is_read():
    contents = saved(np.zeros((20, 30, 12), "f4"))
    assert read_picture(contents, 600).pixels.shape == (20, 30, 12)
    with pytest.raises(ValueError, match=r"^more pixels than max_pixels=599$"):
        read_picture(contents, 599)
    for shape in (b"(60000, 60000, 1),", b"(200, 300, 90000),"):
        bomb = contents.replace(b"(20, 30, 12),", shape)
        with pytest.raises(ValueError, match=r"more pixels|states 21,600,000,000 bytes"):
            read_picture(bomb.replace(shape + b" " * (len(shape) - 13), shape), MOST)


def test_cut_files_are_refused():
    array = np.random.default_rng(0).normal(size=(20, 30))
    for contents in (saved(array), zipped(image=array), zipped(True, image=array)):
        for end in (3, 40, len(contents) // 2, len(contents) - 40):
            with pytest.raises(ValueError, match=r"\S"):
                read_picture(contents[:end], MOST)


def test_junk_is_of_no_format():
    with pytest.raises(ValueError, match="is of no format that is read"):
        read_picture(b"no image at all", MOST)
    with pytest.raises(ValueError, match="the file is empty"):
        read_picture(b"", MOST)
