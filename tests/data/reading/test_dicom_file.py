"""DICOMs: what they measure, and what their windows show, as pydicom says."""

import io

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.pixels import apply_voi_lut
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from keras_simmim.data.reading.picture import UnfitError
from keras_simmim.data.reading.read_picture import read_picture

pytestmark = pytest.mark.long

MOST = 10**6


def encoded(pixels, kind="MONOCHROME2", syntax=ExplicitVRLittleEndian, bits=None, **tags):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid(entropy_srcs=["1"])
    meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    stated = FileDataset(file, {}, file_meta=meta, preamble=b"\0" * 128)
    stated.SOPClassUID = meta.MediaStorageSOPClassUID
    stated.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    is_color = kind == "RGB"
    shape = pixels.shape if is_color or pixels.ndim == 2 else pixels.shape[1:]
    stated.Rows, stated.Columns = shape[:2]
    stated.SamplesPerPixel = 3 if is_color else 1
    if is_color:
        stated.PlanarConfiguration = 0
    if pixels.ndim == 3 and not is_color:
        stated.NumberOfFrames = len(pixels)
    stated.PhotometricInterpretation = kind
    stated.BitsAllocated = 8 * pixels.dtype.itemsize
    stated.BitsStored = bits or stated.BitsAllocated
    stated.HighBit = stated.BitsStored - 1
    stated.PixelRepresentation = int(pixels.dtype.kind == "i")
    for name, value in tags.items():
        setattr(stated, name, value)
    stated.PixelData = pixels.tobytes()
    if syntax == RLELossless:
        stated.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        stated.compress(RLELossless, generate_instance_uid=False)
    stated.save_as(file, enforce_file_format=True)
    return file.getvalue()


def values(shape, dtype, low, high):
    return np.random.default_rng(0).integers(low, high, shape, dtype, endpoint=True)


CT = values((20, 30), "i2", -1024, 3000)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless])
@pytest.mark.parametrize(("dtype", "bits"), [("u1", 8), ("u2", 12), ("u2", 16), ("i2", 16)])
def test_every_type_and_transfer_syntax(syntax, dtype, bits):
    kind = np.dtype(dtype)
    low = -(2 ** (bits - 1)) if kind.kind == "i" else 0
    pixels = values((20, 30), kind, low, low + 2**bits - 1)
    contents = encoded(pixels, syntax=syntax, bits=bits)
    found = read_picture(contents, MOST)
    np.testing.assert_array_equal(found.pixels[..., 0], pixels)
    np.testing.assert_array_equal(
        found.pixels[..., 0], pydicom.dcmread(io.BytesIO(contents)).pixel_array
    )
    assert found.limits == (low, low + 2**bits - 1)
    assert found.names == ("gray",)
    assert not found.is_display


@pytest.mark.parametrize(("slope", "intercept"), [(1, -1024), (2.5, 0), (1, 0), (0.1, 7)])
def test_rescaled(slope, intercept):
    contents = encoded(CT, RescaleSlope=slope, RescaleIntercept=intercept)
    found = read_picture(contents, MOST)
    np.testing.assert_allclose(found.pixels[..., 0], CT * slope + intercept, rtol=1e-12)
    assert (found.limits is None) == ((slope, intercept) != (1, 0))


def test_white_at_0_is_inverted_within_the_bits_that_are_stored():
    pixels = values((20, 30), "u2", 0, 4095)
    found = read_picture(encoded(pixels, "MONOCHROME1", bits=12), MOST)
    np.testing.assert_array_equal(found.pixels[..., 0], 4095 - pixels)
    signed = values((20, 30), "i2", -2048, 2047)
    tags = {"RescaleSlope": 2, "RescaleIntercept": 10}
    found = read_picture(encoded(signed, "MONOCHROME1", bits=12, **tags), MOST)
    np.testing.assert_array_equal(found.pixels[..., 0], (-1 - signed.astype(int)) * 2 + 10)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_the_files_own_window_is_pydicoms(function, kind):
    tags = {"WindowCenter": [40, 400], "WindowWidth": [400, 2000], "VOILUTFunction": function}
    contents = encoded(CT, kind, RescaleSlope=1, RescaleIntercept=-24, **tags)
    found = read_picture(contents, MOST, window=True)
    stated = pydicom.dcmread(io.BytesIO(contents))
    shown = apply_voi_lut(CT.astype(np.float64) - 24, stated)
    low, high = -32768.0 - 24, 32767.0 - 24
    expected = (shown - low) / (high - low) * 255
    expected = 255 - expected if kind == "MONOCHROME1" else expected
    np.testing.assert_allclose(found.pixels[..., 0], expected, atol=1e-6)
    assert found.is_display


def test_a_window_that_is_not_stated_is_asked_for():
    with pytest.raises(UnfitError, match=r"states no window.*give value_range=\(low, high\)"):
        read_picture(encoded(CT), MOST, window=True)
    tags = {"WindowCenter": 5, "WindowWidth": 0}
    with pytest.raises(ValueError, match="a window of the width 0"):
        read_picture(encoded(CT, **tags), MOST, window=True)


def test_frames_by_choice():
    frames = values((4, 6, 7), "u2", 0, 65535)
    contents = encoded(frames)
    for page in range(4):
        found = read_picture(contents, MOST, page)
        np.testing.assert_array_equal(found.pixels[..., 0], frames[page])
        assert found.pages == 4
    found = read_picture(contents, MOST, "all")
    np.testing.assert_array_equal(found.pixels, np.moveaxis(frames, 0, -1))
    assert found.names is None
    with pytest.raises(ValueError, match="has 4 pages, and page=4 is not among them"):
        read_picture(contents, MOST, 4)


def test_colors_and_palettes():
    color = values((6, 7, 3), "u1", 0, 255)
    found = read_picture(encoded(color, "RGB"), MOST)
    np.testing.assert_array_equal(found.pixels, color)
    assert found.names == ("red", "green", "blue")
    assert found.limits == (0, 255)
    pixels = values((6, 7), "u1", 0, 255)
    tables = values((3, 256), "u2", 0, 65535)
    tags = {}
    for name, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tags[f"{name}PaletteColorLookupTableData"] = table.tobytes()
    found = read_picture(encoded(pixels, "PALETTE COLOR", **tags), MOST)
    np.testing.assert_array_equal(found.pixels, np.moveaxis(tables[:, pixels] >> 8, 0, -1))


def test_without_preamble():
    contents = encoded(values((6, 7), "u2", 0, 65535))
    assert contents[128:132] == b"DICM"
    np.testing.assert_array_equal(
        read_picture(contents[132:], MOST).pixels, read_picture(contents, MOST).pixels
    )


def test_refused_before_it_is_decoded():
    contents = encoded(values((20, 30), "u2", 0, 9))
    assert read_picture(contents, 600).pixels.shape == (20, 30, 1)
    with pytest.raises(ValueError, match=r"^more pixels than max_pixels=599$"):
        read_picture(contents, 599)
    with pytest.raises(ValueError, match="more pixels than max_pixels"):
        read_picture(encoded(values((20, 30), "u2", 0, 9), Rows=60_000, Columns=60_000), MOST)


def test_cut_files_and_those_without_pixels_are_refused():
    contents = encoded(values((20, 30), "u2", 0, 9))
    for end in (140, 300, len(contents) // 2, len(contents) - 40):
        with pytest.raises(ValueError, match=r"\S"):
            read_picture(contents[:end], MOST)
    stated = pydicom.dcmread(io.BytesIO(contents))
    del stated.PixelData
    file = io.BytesIO()
    stated.save_as(file)
    with pytest.raises(ValueError, match="a DICOM without pixels"):
        read_picture(file.getvalue(), MOST)
