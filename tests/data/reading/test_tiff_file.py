"""TIFFs of any type, as tifffile and Pillow read them."""

import io
import re

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from keras_simmim.data.reading.read_picture import read_picture

pytestmark = pytest.mark.long

MOST = 10**6
BANDS = {"photometric": "minisblack", "planarconfig": "contig"}
TYPES = ("u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8")


def encoded(pixels, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def numbers(shape, dtype, seed=0):
    kind = np.dtype(dtype)
    generator = np.random.default_rng(seed)
    if kind.kind == "f":
        return generator.normal(0, 100, shape).astype(kind)
    limits = np.iinfo(kind)
    return generator.integers(limits.min, limits.max, shape, kind, endpoint=True)


@given(
    st.sampled_from(TYPES),
    st.integers(1, 13),
    st.sampled_from(["contig", "separate"]),
    st.sampled_from(["<", ">"]),
    st.sampled_from([None, (16, 32)]),
)
def test_every_type_number_of_channels_and_layout(dtype, channels, layout, order, tile):
    pixels = numbers((19, 23, channels), dtype)
    stored = np.moveaxis(pixels, -1, 0) if layout == "separate" else pixels
    options = {"photometric": "minisblack", "byteorder": order, "tile": tile}
    if channels > 1:
        options["planarconfig"] = layout
    else:
        stored = pixels[..., 0]
    picture = read_picture(encoded(stored, **options), MOST)
    assert picture.pixels.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.names == (("gray",) if channels == 1 else None)
    kind = np.dtype(dtype)
    assert picture.limits == (
        None if kind.kind == "f" else (np.iinfo(kind).min, np.iinfo(kind).max)
    )


@pytest.mark.parametrize("compression", ["deflate", "lzw", "zstd", "lzma", "packbits", "jpeg2000"])
def test_compressed(compression):
    pixels = numbers((40, 50, 3), "u2")
    contents = encoded(pixels, compression=compression, tile=(16, 16))
    picture = read_picture(contents, MOST)
    np.testing.assert_array_equal(picture.pixels, tifffile.imread(io.BytesIO(contents)))
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.names == ("red", "green", "blue")


def test_jpeg_in_a_tiff_is_what_tifffile_says():
    pixels = np.asarray(Image.effect_noise((48, 48), 30).resize((64, 64)).convert("RGB"))
    contents = encoded(pixels, compression="jpeg", photometric="ycbcr", tile=(32, 32))
    found = read_picture(contents, MOST)
    np.testing.assert_array_equal(found.pixels, tifffile.imread(io.BytesIO(contents)))
    assert np.abs(found.pixels.astype(int) - pixels).mean() < 20
    assert found.names == ("red", "green", "blue")


def test_big_tiff():
    pixels = numbers((5, 6), "u2")
    contents = encoded(pixels, bigtiff=True)
    assert contents[:4] in (b"II+\0", b"MM\0+")
    np.testing.assert_array_equal(read_picture(contents, MOST).pixels[..., 0], pixels)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_as_pillow_looks_at_it(mode):
    image = Image.fromarray(numbers((20, 30, 3), "u1")).resize((40, 30))
    if mode in ("I;16", "I", "F"):
        kinds = {"I;16": "u2", "I": "i4", "F": "f4"}
        image = Image.fromarray(numbers((20, 30), kinds[mode]))
    else:
        image = image.quantize(64) if mode == "P" else image.convert(mode)
    file = io.BytesIO()
    image.save(file, "TIFF")
    found = read_picture(file.getvalue(), MOST)
    expected = np.asarray(image.convert({"P": "RGB", "1": "L"}.get(mode, mode)))
    np.testing.assert_array_equal(found.pixels.squeeze(), expected)
    assert found.is_display == (mode in ("1", "P"))
    names = {"RGBA": "red green blue alpha", "CMYK": "cyan magenta yellow black"}
    names |= dict.fromkeys(("P", "RGB"), "red green blue")
    assert " ".join(found.names) == names.get(mode, "gray")


def test_white_at_0_is_inverted():
    for dtype, most in (("u1", 255), ("u2", 65535)):
        pixels = numbers((9, 8), dtype)
        found = read_picture(encoded(pixels, photometric="miniswhite"), MOST)
        np.testing.assert_array_equal(found.pixels[..., 0], most - pixels)
    bits = numbers((9, 16), "u1") > 100
    for kind in ("miniswhite", "minisblack"):
        found = read_picture(encoded(bits, photometric=kind), MOST)
        shown = bits if kind == "minisblack" else ~bits
        np.testing.assert_array_equal(found.pixels[..., 0], np.where(shown, 255, 0))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_pillows(orientation):
    file = io.BytesIO()
    image = Image.fromarray(numbers((5, 7, 3), "u1"))
    image.save(file, "TIFF", tiffinfo={274: orientation})
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(file.getvalue()))))
    np.testing.assert_array_equal(read_picture(file.getvalue(), MOST).pixels, expected)


def test_pages_by_choice():
    pixels = numbers((4, 6, 7), "u2")
    contents = encoded(pixels, photometric="minisblack")
    for page in range(4):
        found = read_picture(contents, MOST, page)
        np.testing.assert_array_equal(found.pixels[..., 0], pixels[page])
        assert found.pages == 4
    found = read_picture(contents, MOST, "all")
    np.testing.assert_array_equal(found.pixels, np.moveaxis(pixels, 0, -1))
    with pytest.raises(ValueError, match="has 4 pages, and page=4 is not among them"):
        read_picture(contents, MOST, 4)


def test_pages_of_different_sizes():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for number, shape in enumerate([(6, 7), (3, 4, 3)]):
            writer.write(np.full(shape, number, "u1"), contiguous=False)
    assert read_picture(file.getvalue(), MOST, 0).pixels.shape == (6, 7, 1)
    assert read_picture(file.getvalue(), MOST, 1).pixels.shape == (3, 4, 3)


def test_channels_of_ome_have_names_and_depths_are_pages():
    pixels = numbers((2, 3, 6, 7), "u2")
    names = ["nuclei", "actin", "tubulin"]
    metadata = {"axes": "ZCYX", "Channel": {"Name": names}}
    contents = encoded(pixels, ome=True, metadata=metadata, photometric="minisblack")
    for page in range(2):
        found = read_picture(contents, MOST, page)
        np.testing.assert_array_equal(found.pixels, np.moveaxis(pixels[page], 0, -1))
        assert found.names == tuple(names)
    assert read_picture(contents, MOST, "all").pixels.shape == (6, 7, 6)


def test_an_ome_that_names_other_files_reads_none_of_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.stack([np.full((6, 7), 1, "u2"), np.full((6, 7), 2, "u2")])
    tifffile.imwrite("other.ome.tif", pixels, ome=True, metadata={"axes": "CYX"})
    whole = encoded(pixels, ome=True, metadata={"axes": "CYX"})
    (old,) = re.findall(rb"<TiffData [^>]*/>", whole)
    new = b'<TiffData IFD="0" PlaneCount="2"><UUID FileName="other.ome.tif">1</UUID></TiffData>'
    text = whole[whole.index(b"<?xml") : whole.index(b"</OME>") + 6]
    other = text.replace(old, new)
    assert other != text
    file = io.BytesIO()
    tifffile.imwrite(file, pixels[0] * 0, description=other, metadata=None)
    assert read_picture(file.getvalue(), MOST).pixels.max() == 0


def test_channels_of_imagej():
    pixels = numbers((3, 6, 7), "u2")
    contents = encoded(pixels, imagej=True, metadata={"axes": "CYX"})
    np.testing.assert_array_equal(read_picture(contents, MOST).pixels, np.moveaxis(pixels, 0, -1))


def gdal(*items):
    text = "".join(
        f'<Item name="DESCRIPTION" sample="{number}" role="description">{name}</Item>'
        for number, name in enumerate(items)
    )
    return (42112, "s", 0, f"<GDALMetadata>{text}</GDALMetadata>", True)


def test_bands_of_gdal_have_names_and_no_data():
    pixels = numbers((6, 7, 3), "f4")
    pixels[2, 3] = -9999
    tags = [gdal("B02", "B03", "B08"), (42113, "s", 0, "-9999", True)]
    found = read_picture(encoded(pixels, extratags=tags, metadata=None, **BANDS), MOST)
    assert found.names == ("B02", "B03", "B08")
    expected = pixels.copy()
    expected[2, 3] = np.nan
    np.testing.assert_array_equal(found.pixels, expected)


def test_names_that_repeat_or_are_too_few_are_none():
    pixels = numbers((6, 7, 3), "f4")
    for tag in (gdal("B02", "B02", "B08"), gdal("B02"), (42112, "s", 0, "<GDALMetadata", True)):
        found = read_picture(encoded(pixels, extratags=[tag], metadata=None, **BANDS), MOST)
        assert found.names is None


def test_refused_before_it_is_decoded():
    contents = encoded(numbers((20, 30, 12), "f4"), **BANDS)
    assert read_picture(contents, 600).pixels.shape == (20, 30, 12)
    with pytest.raises(ValueError, match=r"^more pixels than max_pixels=599$"):
        read_picture(contents, 599)
    bomb = bytearray(encoded(np.zeros((8, 8), "u1"), byteorder="<", metadata=None))
    with tifffile.TiffFile(io.BytesIO(bytes(bomb))) as tiff:
        for name in ("ImageWidth", "ImageLength"):
            tag = tiff.pages[0].tags[name]
            size = 2 if tag.dtype == 3 else 4
            bomb[tag.valueoffset : tag.valueoffset + size] = (60_000).to_bytes(size, "little")
    with pytest.raises(ValueError, match="more pixels than max_pixels=1000000"):
        read_picture(bytes(bomb), MOST)


@pytest.mark.parametrize("dtype", ["c8", "c16"])
def test_complex_numbers_are_refused(dtype):
    with pytest.raises(ValueError, match="and neither integers nor floats"):
        read_picture(encoded(np.zeros((4, 5), dtype)), MOST)


def test_cut_files_are_refused():
    contents = encoded(numbers((20, 30), "u2"))
    for end in (3, 10, len(contents) // 2, len(contents) - 40):
        with pytest.raises(ValueError, match=r"\S"):
            read_picture(contents[:end], MOST)
