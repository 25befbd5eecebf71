"""Images and masks in two folders, matched by name."""

import logging
import shutil

import numpy as np
import pytest
from PIL import Image

from keras_simmim import data

pytestmark = pytest.mark.any_backend


@pytest.fixture
def folders(tmp_path):
    """Eight images in two folders, of sizes of their own, whose red is their mask."""
    generator = np.random.default_rng(0)
    for number in range(8):
        name = f"{'ab'[number % 2]}/{number}"
        pixels = generator.integers(0, 200, (24 + number, 32, 3)).astype(np.uint8)
        pixels[..., 0] = number * 10 + (np.indices(pixels.shape[:2]).sum(0) > 20)
        for part, values in (("images", pixels), ("masks", pixels[..., 0])):
            (tmp_path / part / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(tmp_path / part / f"{name}.png")
    return tmp_path / "images", tmp_path / "masks"


def masks_of(dataset):
    return np.concatenate([masks for _, masks in dataset.as_numpy_iterator()])


def test_evaluation_is_the_whole_images_in_order(folders):
    dataset = data.segmentation_folder(
        *folders, (48, 64), 3, class_names=["sea", "land"], training=False
    )
    assert dataset.class_names == ["sea", "land"]
    assert dataset.image_count == 8
    assert [path[-7:] for path in dataset.file_paths[:5]] == [
        f"a/{n}.png" for n in (0, 2, 4, 6)
    ] + ["b/1.png"]
    batches = list(dataset.as_numpy_iterator())
    assert [(images.shape, masks.shape) for images, masks in batches] == [
        ((count, 48, 64, 3), (count, 48, 64)) for count in (3, 3, 2)
    ]
    assert batches[0][1].dtype == np.uint8
    for number, mask in zip((0, 2, 4, 6, 1, 3, 5, 7), masks_of(dataset), strict=True):
        assert set(np.unique(mask)) == {10 * number, 10 * number + 1}
    # The first is doubled exactly.
    with Image.open(folders[1] / "a/0.png") as first:
        np.testing.assert_array_equal(
            batches[0][1][0], np.asarray(first).repeat(2, axis=0).repeat(2, axis=1)
        )


@pytest.mark.long
def test_training_keeps_masks_on_their_images(folders):
    dataset = data.segmentation_folder(*folders, 16, 4, seed=1, channels=3)
    for images, masks in dataset.as_numpy_iterator():
        assert images.shape == (4, 16, 16, 3)
        assert np.abs(images[..., 0].astype(int) - masks).max() <= 1
    sides = [
        data.segmentation_folder(*folders, 16, 4, validation_split=0.25, subset=subset).file_paths
        for subset in ("training", "validation")
    ]
    assert [len(side) for side in sides] == [6, 2]
    assert data.segmentation_folder(*folders, 16, limit=3).image_count == 3


def test_masks_of_another_size_are_skipped_and_named(folders, caplog):
    images, masks = folders
    Image.new("L", (31, 24)).save(masks / "a/0.png")
    Image.new("RGB", (32, 26)).save(masks / "a/2.png")
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        dataset = data.segmentation_folder(images, masks, 16, 4, training=False)
        assert len(masks_of(dataset)) == 6
    reasons = {path[-7:]: reason for path, reason in dataset.broken_files.items()}
    mask = str(masks / "a/0.png")
    assert reasons["a/0.png"] == (
        f"its mask {mask!r} is of 24×31 pixels (height × width), the image of 24×32 as it is "
        "looked at"
    )
    assert "is of colors" in reasons["a/2.png"]
    assert all(reason in caplog.text for reason in reasons.values())
    with pytest.raises(ValueError, match=r"broken image '.*a/0.png': its mask '.*a/0.png' is of"):
        data.segmentation_folder(images, masks, 16, on_error="raise")


@pytest.mark.long
def test_in_training_another_image_takes_the_place(folders):
    (folders[1] / "b/7.png").write_bytes(b"\x89PNG")
    dataset = data.segmentation_folder(*folders, 16, 4)
    for _ in range(2):
        seen = {int(mask.min()) // 10 for mask in masks_of(dataset)}
        assert len(masks_of(dataset)) == 8
        assert 7 not in seen


@pytest.mark.long
def test_a_photograph_that_exif_turns_needs_a_turned_mask(tmp_path):
    pixels = np.add.outer(6 * np.arange(24), 3 * np.arange(32)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    Image.fromarray(pixels).save(tmp_path / "images/1.jpg", quality=95, exif=exif)
    turned = np.rot90(pixels, -1)
    options = {"image_size": (32, 24), "training": False, "channels": 1}
    folders = tmp_path / "images", tmp_path / "masks"
    mask = tmp_path / "masks/1.png"
    # Drawn on the turned image, or with the same EXIF.
    for values, more in ((turned, {}), (pixels, {"exif": exif})):
        Image.fromarray(values).save(mask, **more)
        ((images, masks),) = data.segmentation_folder(*folders, **options).as_numpy_iterator()
        np.testing.assert_array_equal(masks[0], turned)
        assert np.abs(images[0, ..., 0].astype(int) - masks[0]).max() <= 3
    Image.fromarray(pixels).save(mask)
    with pytest.raises(ValueError, match=r"of 24×32 pixels .*, the image of 32×24 as it is looked"):
        data.segmentation_folder(*folders, **options)


def test_what_has_no_counterpart_is_named(folders, caplog):
    images, masks = folders
    (masks / "a/0.png").rename(masks / "a/9.png")
    (images / "b/1.png").unlink()
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        dataset = data.segmentation_folder(images, masks, 16)
    assert dataset.image_count == 6
    assert [record.getMessage() for record in caplog.records] == [
        f"Left out: 1 images have no mask, first {str(images / 'a/0.png')!r}.",
        f"Left out: 2 masks have no image, first {str(masks / 'a/9.png')!r}.",
    ]
    with pytest.raises(
        ValueError, match=r"none of the 4 images .* has a mask .* but of '.*a/0.png"
    ):
        data.segmentation_folder(images / "a", masks / "b", 16)


def test_two_files_of_one_stem_and_other_formats_are_refused(folders):
    images, masks = folders
    shutil.copy(images / "a/2.png", images / "a/2.bmp")
    with pytest.raises(ValueError, match=r"images must differ in more .*'.*a/2.bmp' and '.*a/2.p"):
        data.segmentation_folder(images, masks, 16)
    (images / "a/2.bmp").unlink()
    shutil.copy(masks / "a/2.png", masks / "a/2.bmp")
    with pytest.raises(ValueError, match=r"masks must be PNGs, got '.*a/2.bmp'"):
        data.segmentation_folder(images, masks, 16)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (
            {"masks": "nowhere"},
            FileNotFoundError,
            "masks must be a folder of images, found nothing",
        ),
        ({"images": 3}, TypeError, "images must be a path, got 3"),
        ({"class_names": "ab"}, TypeError, "class_names must be a sequence of strings"),
        ({"channels": 4}, ValueError, "channels must be 1 or 3, got 4"),
        ({"crops": 2}, ValueError, "crops must be 1 where there are masks or boxes"),
        ({"labels": None}, TypeError, "unexpected argument 'labels'"),
    ],
)
def test_arguments_out_of_bounds(folders, arguments, error, match):
    images, masks = folders
    with pytest.raises(error, match=match):
        data.segmentation_folder(**{"images": images, "masks": masks, "image_size": 8} | arguments)
