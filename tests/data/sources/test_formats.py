"""Folders of any format: what holds for JPEGs holds for them."""

import io
import logging

import numpy as np
import pillow_heif
import pydicom
import pytest
import tensorflow as tf
import tifffile
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset

from keras_simmim import data
from keras_simmim.data.reading import file_kinds

pytestmark = pytest.mark.long

BANDS = {"photometric": "minisblack", "planarconfig": "contig"}
SHAPE = (24, 32)


def save_tiff(path, pixels):
    tifffile.imwrite(path, pixels, **(BANDS if pixels.ndim == 3 else {"photometric": "minisblack"}))


def save_dicom(path, pixels, **tags):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = meta.MediaStorageSOPInstanceUID = "1.2.3"
    stated = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    stated.Rows, stated.Columns = pixels.shape
    stated.SamplesPerPixel, stated.PhotometricInterpretation = 1, "MONOCHROME2"
    stated.BitsAllocated = stated.BitsStored = 8 * pixels.dtype.itemsize
    stated.HighBit = stated.BitsStored - 1
    stated.PixelRepresentation = int(pixels.dtype.kind == "i")
    for name, value in tags.items():
        setattr(stated, name, value)
    stated.PixelData = pixels.tobytes()
    stated.save_as(path)


def save_png(path, pixels):
    path.write_bytes(tf.io.encode_png(pixels[..., None]).numpy())


def save_picture(path, pixels):
    image = Image.fromarray(pixels)
    if path.suffix == ".heic":
        pillow_heif.from_pillow(image).save(path, quality=-1)
    else:
        image.save(path, quality=100)


WRITERS = {
    ".tif": (save_tiff, "u2"),
    ".npy": (np.save, "u2"),
    ".npz": (lambda path, pixels: np.savez(path, pixels), "u2"),
    ".dcm": (save_dicom, "u2"),
    ".png": (save_png, "u2"),
    ".avif": (save_picture, "u1"),
    ".heic": (save_picture, "u1"),
}


@pytest.fixture(params=WRITERS)
def folder(request, tmp_path):
    """Ten files of one format; the i-th is of the one value 10·(i + 1) of 255."""
    save, dtype = WRITERS[request.param]
    for number in range(10):
        value = 10 * (number + 1) * (257 if dtype == "u2" else 1)
        save(tmp_path / f"{number}{request.param}", np.full(SHAPE, value, dtype))
    return tmp_path


def colors(dataset):
    return [round(float(value)) for batch in dataset for value in batch.numpy()[:, 0, 0, 0]]


ALL = list(range(10, 110, 10))


def near(found, expected):
    assert len(found) == len(expected)
    assert np.abs(np.subtract(found, expected)).max() <= 2


@pytest.mark.parametrize("options", [{}, {"value_range": "dtype", "channels": "all"}])
def test_in_order_every_image_once_and_again_by_seed_and_epoch(folder, options):
    dataset = data.image_folder(folder, 8, 4, training=False, **options)
    near(colors(dataset), ALL)
    given = options.get("value_range")
    assert dataset.element_spec.dtype == (tf.float32 if given else tf.uint8)
    assert dataset.element_spec.shape[1:] == (8, 8, 1 if "channels" in options else 3)
    assert dataset.file_paths == sorted(map(str, folder.iterdir()))
    first, second = (data.image_folder(folder, 8, 5, seed=3, **options) for _ in range(2))
    epochs = [[batch.numpy() for batch in first] for _ in range(2)]
    for epoch in epochs:
        for found, expected in zip(second, epoch, strict=True):
            np.testing.assert_array_equal(found, expected)
    near(sorted(epochs[0][0][:, 0, 0, 0].tolist() + epochs[0][1][:, 0, 0, 0].tolist()), ALL)
    assert not np.array_equal(epochs[0], epochs[1])


def test_a_run_goes_on_and_shards_are_slices(folder):
    options = {"seed": 2, "value_range": (0, 65535), "channels": "all"}
    whole = data.image_folder(folder, 8, 4, **options)
    epochs = [[batch.numpy() for batch in whole] for _ in range(2)]
    going_on = data.image_folder(folder, 8, 4, epoch=1, first_batch=1, **options)
    np.testing.assert_array_equal([batch.numpy() for batch in going_on], epochs[1][1:])
    parts = [data.image_folder(folder, 8, 4, shard=i, shards=2, **options) for i in range(2)]
    assert {part.value_range for part in parts} == {whole.value_range}
    joined = [np.concatenate(pair) for pair in zip(*([*part] for part in parts), strict=True)]
    np.testing.assert_array_equal(joined, epochs[0])


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_pixels_that_are_kept_are_the_same(folder, cache):
    options = {"seed": 2, "value_range": "dtype", "channels": "all", "training": False}
    plain, kept = (data.image_folder(folder, SHAPE, 5, cache=c, **options) for c in (None, cache))
    expected = np.concatenate([batch.numpy() for batch in plain])
    for _ in range(2):
        found = np.concatenate([batch.numpy() for batch in kept])
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_two_crops(folder):
    one, two = (
        data.image_folder(folder, 8, 5, crops=crops, value_range="dtype") for crops in (1, 2)
    )
    first, both = next(iter(one)), next(iter(two))
    assert both.shape == (5, 2, 8, 8, 3)
    np.testing.assert_array_equal(both[:, 0], first)


@pytest.mark.parametrize(
    ("options", "training"),
    [({}, True), ({"value_range": "dtype", "channels": "all"}, False)],
)
def test_broken_files_are_named_and_replaced(folder, options, training):
    paths = sorted(folder.iterdir())
    contents = paths[2].read_bytes()
    paths[2].write_bytes(contents[: len(contents) // 2])
    paths[5].write_bytes(b"")
    paths[7].write_bytes(b"no image at all, but text of some length" * 9)
    dataset = data.image_folder(folder, 8, 5, training=training, **options)
    found = colors(dataset)
    intact = [value for index, value in enumerate(ALL) if index not in (2, 5, 7)]
    if training:
        assert len(found) == 10
        assert all(min(abs(value - one) for one in intact) <= 2 for value in found)
    else:
        near(found, intact)
    reasons = dataset.broken_files
    assert sorted(reasons) == [str(paths[index]) for index in (2, 5, 7)]
    assert reasons[str(paths[5])] == "the file is empty"
    assert all(reasons.values())
    dataset = data.image_folder(folder, 8, 5, on_error="raise", training=training, **options)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"broken image '.*[257]"):
        list(dataset)


@pytest.mark.parametrize("options", [{}, {"value_range": "dtype"}])
def test_more_pixels_than_may_be(folder, options):
    assert data.image_folder(folder, 8, max_pixels=24 * 32, **options).image_count == 10
    with pytest.raises(
        ValueError, match=r"all 10 images are broken.*more pixels than max_pixels=7"
    ):
        data.image_folder(folder, 8, max_pixels=24 * 32 - 1, **options)


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "u4", "f4", "f8"])
def test_a_range_becomes_0_to_255_without_loss(tmp_path, kind):
    values = np.random.default_rng(0).uniform(-300, 300, (3, *SHAPE, 5)).astype("i2").astype(kind)
    for number, pixels in enumerate(values):
        save_tiff(tmp_path / f"{number}.tif", pixels)
    low, high = (10.0, 200.5)
    options = {"channels": (4, 0), "value_range": (low, high), "training": False}
    dataset = data.image_folder(tmp_path, SHAPE, **options)
    expected = np.clip((values[..., [4, 0]].astype("f8") - low) / (high - low), 0, 1) * 255
    np.testing.assert_array_equal(next(iter(dataset)), expected.astype("f4"))
    assert dataset.value_range == (low, high)
    assert dataset.channel_names == ["4", "0"]


def test_what_is_no_number_becomes_0(tmp_path):
    pixels = np.full(SHAPE, 50, "f4")
    pixels[3, 4], pixels[5, 6], pixels[7, 8] = np.nan, np.inf, -np.inf
    save_tiff(tmp_path / "0.tif", pixels)
    found = next(iter(data.image_folder(tmp_path, SHAPE, value_range=(0, 100), training=False)))
    assert [float(found[0, row, row + 1, 0]) for row in (3, 5, 7)] == [0, 255, 0]
    assert float(found[0, 0, 0, 0]) == 127.5


def test_percentiles_are_one_rule_for_all_shards_subsets_of_files_and_seeds(tmp_path):
    values = np.random.default_rng(0).normal(100, 20, (80, 8, 8)).astype("f4")
    for number, pixels in enumerate(values):
        np.save(tmp_path / f"{number:02}.npy", pixels)
    (tmp_path / "40.npy").write_bytes(b"")
    options = {"value_range": "percentiles", "channels": "all"}
    found = {
        data.image_folder(tmp_path, 8, 4, seed=seed, shard=shard, shards=2, **options).value_range
        for shard in (0, 1)
        for seed in (5, 5)
    }
    assert len(found) == 1
    ((low, high),) = found
    places = sorted(np.random.default_rng(5).permutation(80)[:64].tolist())
    sample = values[[place for place in places if place != 40]]
    np.testing.assert_allclose((low, high), np.percentile(sample.astype("f8"), (0.5, 99.5)))
    assert data.image_folder(tmp_path, 8, 4, seed=6, **options).value_range != (low, high)
    for path in tmp_path.iterdir():
        np.save(path, np.full(SHAPE, 3.0))
    with pytest.raises(ValueError, match=r"'percentiles' found no range .* all about 3"):
        data.image_folder(tmp_path, 8, **options)


def test_types_that_differ_are_broken_where_the_type_is_the_range(tmp_path):
    for number, kind in enumerate(("u2", "u2", "u1")):
        save_tiff(tmp_path / f"{number}.tif", np.full(SHAPE, 51, kind))
    dataset = data.image_folder(tmp_path, 8, value_range="dtype", training=False)
    assert len(colors(dataset)) == 2
    assert dataset.value_range == (0, 65535)
    assert "holds uint8 of (0.0, 255.0), where" in dataset.broken_files[str(tmp_path / "2.tif")]


def test_the_window_of_each_dicom(tmp_path):
    pixels = np.arange(24 * 32, dtype="i2").reshape(SHAPE)
    for number, center in enumerate((100, 300)):
        tags = {"WindowCenter": center, "WindowWidth": 101, "VOILUTFunction": "LINEAR_EXACT"}
        save_dicom(tmp_path / f"{number}.dcm", pixels, **tags)
    dataset = data.image_folder(tmp_path, SHAPE, value_range="window", training=False)
    for image, center in zip(next(iter(dataset)), (100, 300), strict=True):
        expected = np.clip((pixels - center) / 101 + 0.5, 0, 1) * 255
        np.testing.assert_allclose(image[..., 0], expected, atol=1e-4)
    assert dataset.value_range is None
    save_tiff(tmp_path / "2.tif", pixels)
    dataset = data.image_folder(tmp_path, SHAPE, value_range="window", training=False)
    assert len(colors(dataset)) == 2
    assert "no window" in dataset.broken_files[str(tmp_path / "2.tif")]


def test_another_number_of_channels_than_the_first_has_is_broken(tmp_path):
    (tmp_path / "0.tif").write_bytes(b"")
    for number, channels in enumerate((12, 12, 3, 12), start=1):
        save_tiff(tmp_path / f"{number}.tif", np.zeros((*SHAPE, channels), "u1"))
    dataset = data.image_folder(tmp_path, 8, channels="all", training=False)
    assert sum(map(len, dataset)) == 3
    assert dataset.broken_files == {
        str(tmp_path / "0.tif"): "the file is empty",
        str(tmp_path / "3.tif"): "has 3 channels, where the first intact file has 12",
    }


def test_names_of_channels_choose_them(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (*SHAPE, 4), "uint8")
    Image.fromarray(pixels).save(tmp_path / "0.png")
    for chosen, places in ((("alpha", "green"), [3, 1]), ("all", [0, 1, 2, 3])):
        dataset = data.image_folder(tmp_path, SHAPE, channels=chosen, training=False)
        np.testing.assert_array_equal(next(iter(dataset))[0], pixels[..., places])
        assert dataset.channel_names == [("red", "green", "blue", "alpha")[i] for i in places]
    with pytest.raises(
        ValueError, match=r"0.png' has no channel 'nir', but 4: red, green, blue, a"
    ):
        data.image_folder(tmp_path, SHAPE, channels=("nir",))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, r"0.npy' has 5 channels: channels='all' reads them all"),
        ({"channels": "all"}, r"0.npy' holds float32 values: give value_range=\(low, high\)"),
        ({"channels": "all", "value_range": "dtype"}, "needs integers, and .* holds float32"),
        ({"value_range": "bits"}, "value_range must be 'dtype' or 'percentiles' or 'window'"),
        ({"value_range": (5, 1)}, "value_range must satisfy low < high"),
        ({"page": -1}, "page must be at least 0, got -1"),
        ({"channels": "all", "value_range": "window"}, "is no DICOM, and so has no window"),
    ],
)
def test_what_is_missing_is_said_at_once(tmp_path, options, match):
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", np.zeros((*SHAPE, 5), "f4"))
    with pytest.raises(ValueError, match=match):
        data.image_folder(tmp_path, 8, **options)


def test_jpegs_stay_what_they_are_beside_others(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), "uint8")
    for number in range(3):
        Image.fromarray(noise).resize((90, 70)).save(tmp_path / f"{number}.jpg", quality=90)
    for channels in (1, 3):
        options = {"channels": channels, "labels": None}
        alone = next(iter(data.image_folder(tmp_path, 16, 3, training=False, **options)))
        save_tiff(tmp_path / "3.tif", np.full(SHAPE, 99, "u1"))
        mixed = next(iter(data.image_folder(tmp_path, 16, 4, training=False, **options)))
        np.testing.assert_array_equal(mixed[:3], alone)
        assert np.unique(mixed[3]).tolist() == [99]
        assert mixed.dtype == tf.uint8
        # The draws of an image hang on its place, whatever else there is.
        (tmp_path / "3.tif").unlink()


def test_arrays_beside_images_of_their_names_are_no_images(tmp_path, caplog):
    for name in ("a", "b"):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
        np.save(tmp_path / f"{name}.npy", np.zeros(5))
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        assert data.image_folder(tmp_path, 8).image_count == 2
    assert not caplog.records


@pytest.mark.parametrize(
    ("ending", "kind", "extra"),
    [(".tif", "TIFF", "tiff"), (".dcm", "DICOM", "dicom"), (".heic", "HEIC", "heic")],
)
def test_a_missing_package_is_named(tmp_path, monkeypatch, caplog, ending, kind, extra):
    save, dtype = WRITERS[ending]
    save(tmp_path / f"0{ending}", np.zeros(SHAPE, dtype))
    missing = getattr(file_kinds, kind).package
    found = file_kinds.importlib.util.find_spec
    monkeypatch.setattr(
        file_kinds.importlib.util,
        "find_spec",
        lambda name: None if name == missing else found(name),
    )
    needs = rf"{kind} files need {missing}: pip install 'keras-simmim\[{extra}\]'"
    with pytest.raises(ImportError, match=needs):
        data.image_folder(tmp_path, 8)
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        assert data.image_folder(tmp_path, 8).image_count == 1
    (message,) = (record.getMessage() for record in caplog.records)
    assert message.startswith(f"Left out of {str(tmp_path)!r}: images")
    assert message.endswith(f"{kind} files need {missing}: pip install 'keras-simmim[{extra}]'.")


def test_several_pages_are_noticed_and_chosen(tmp_path, caplog):
    pages = np.stack([np.full(SHAPE, value, "u1") for value in (10, 20, 30)])
    save = {"photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "0.tif", pages, **save)
    for page, expected in ((None, 10), (0, 10), (2, 30)):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "keras_simmim"):
            dataset = data.image_folder(tmp_path, 8, page=page, training=False)
        assert colors(dataset) == [expected]
        assert len(caplog.records) == (page is None)
    assert "page='all' makes channels of them" in caplog.text or page is not None
    dataset = data.image_folder(tmp_path, 8, page="all", channels="all", training=False)
    assert next(iter(dataset))[0, 0, 0].numpy().tolist() == [10, 20, 30]


def test_dark_files_of_16_bits_are_noticed(tmp_path, caplog):
    save_tiff(tmp_path / "0.tif", np.full(SHAPE, 4000, "u2"))
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        data.image_folder(tmp_path, 8)
    assert "If they hold 12 bits, pass value_range=(0, 4095)" in caplog.text


def test_masks_and_boxes_follow_images_of_other_formats(tmp_path):
    images, masks = tmp_path / "images", tmp_path / "masks"
    images.mkdir()
    masks.mkdir()
    zones = np.random.default_rng(0).integers(0, 5, SHAPE, "uint8")
    for number in range(2):
        save_tiff(images / f"{number}.tif", np.stack([zones] * 7, -1).astype("f4"))
        Image.fromarray(zones).save(masks / f"{number}.png")
    np.save(masks / "0.npy", zones)
    options = {"channels": "all", "value_range": (0, 255)}
    dataset = data.segmentation_folder(images, masks, SHAPE, 2, training=False, **options)
    found, truth = next(iter(dataset))
    assert found.shape == (2, *SHAPE, 7)
    np.testing.assert_array_equal(found[0, ..., 6], truth[0])
    Image.new("L", (3, 3)).save(masks / "1.png")
    dataset = data.segmentation_folder(images, masks, SHAPE, 2, **options)
    assert len(list(dataset)) == 1
    assert "3×3 pixels" in dataset.broken_files[str(images / "1.tif")]


def test_bytes_that_end_in_zeros_stay_whole_where_they_take_anothers_place(tmp_path):
    for number in range(4):
        np.save(tmp_path / f"{number}.npy", np.eye(24, 32, dtype="u2") * 1000)
    (tmp_path / "1.npy").write_bytes(b"")
    dataset = data.image_folder(tmp_path, 8, 4, value_range=(0, 1000))
    assert len(next(iter(dataset))) == 4
    assert list(dataset.broken_files) == [str(tmp_path / "1.npy")]


def test_files_are_known_by_their_first_bytes(tmp_path):
    save_tiff(tmp_path / "0.tif", np.full(SHAPE, 10, "u1"))
    np.save(tmp_path / "1.npy", np.full(SHAPE, 20, "u1"))
    (tmp_path / "1.npy").rename(tmp_path / "1.tif")
    file = io.BytesIO()
    Image.new("L", SHAPE, 30).save(file, "PNG")
    (tmp_path / "2.tif").write_bytes(file.getvalue())
    assert colors(data.image_folder(tmp_path, 8, training=False)) == [10, 20, 30]
