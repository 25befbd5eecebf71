import io
import logging
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_simmim import data

pytestmark = pytest.mark.any_backend


@pytest.fixture
def broken_folder(colored_folder):
    """Ten images, of which 01 is empty, 04 is text, 06 a truncated JPEG and 09 is no link's end."""
    folder = colored_folder(10)
    (folder / "01.png").write_bytes(b"")
    (folder / "04.png").rename(folder / "04.jpg")
    (folder / "04.jpg").write_text("no image at all")
    (folder / "06.png").unlink()
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, "JPEG")
    (folder / "06.jpg").write_bytes(file.getvalue()[: file.tell() // 2])
    (folder / "09.png").unlink()
    (folder / "09.png").symlink_to("nowhere")
    return folder


INTACT = [10, 30, 40, 60, 80, 90]


def colors(dataset):
    return [int(value) for batch in dataset for value in batch.numpy()[:, 0, 0, 0]]


def test_evaluation_skips_and_names(broken_folder, caplog):
    dataset = data.image_folder(broken_folder, 8, 4, training=False)
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        assert colors(dataset) == INTACT
        assert colors(dataset) == INTACT
    reasons = {path.rsplit("/", 1)[-1]: reason for path, reason in dataset.broken_files.items()}
    assert sorted(reasons) == ["01.png", "04.jpg", "06.jpg", "09.png"]
    assert reasons["01.png"] == "the file is empty"
    assert "JPEG" in reasons["06.jpg"]
    assert "No such file" in reasons["09.png"]
    assert len(caplog.records) == 4
    assert all(path in caplog.text for path in reasons)


@pytest.mark.long
def test_training_epochs_stay_full(broken_folder):
    dataset = data.image_folder(broken_folder, 8, 5)
    assert int(dataset.cardinality()) == 2
    for _ in range(3):
        seen = colors(dataset)
        assert len(seen) == 10
        assert set(seen) == set(INTACT)
    assert len(dataset.broken_files) == 4


@pytest.mark.long
def test_repaired_order_is_reproducible(broken_folder):
    first, second = (data.image_folder(broken_folder, 8, 5, seed=3) for _ in range(2))
    assert [colors(first) for _ in range(2)] == [colors(second) for _ in range(2)]


@pytest.mark.parametrize("training", [True, pytest.param(False, marks=pytest.mark.long)])
def test_raise_names_file_and_reason(broken_folder, training):
    dataset = data.image_folder(broken_folder, 8, 4, training=training, on_error="raise")
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"broken image '.*0\d.(png|jpg)': "):
        list(dataset)


def test_raise_at_once_if_the_first_is_broken(colored_folder):
    folder = colored_folder(2)
    (folder / "00.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"broken image '.*00.png': the file is empty"):
        data.image_folder(folder, 8, on_error="raise")


@pytest.mark.parametrize("training", [True, False])
def test_all_broken(colored_folder, training):
    folder = colored_folder(3)
    for path in folder.iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="all 3 images are broken"):
        data.image_folder(folder, 8, training=training)


@pytest.mark.long
@pytest.mark.parametrize("training", [True, False])
def test_files_that_vanish_later_end_the_iteration(colored_folder, training):
    folder = colored_folder(3)
    dataset = data.image_folder(folder, 8, 2, training=training)
    shutil.rmtree(folder)
    with pytest.raises(tf.errors.InvalidArgumentError, match="all 3 images are broken"):
        list(dataset)
