"""examples/article.py and examples/masks.py as a user runs them."""

import csv
import json

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

pytestmark = [pytest.mark.long, pytest.mark.turned(2)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sixty pictures of two classes, dark and light, in class folders."""
    folder = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(0)
    for name, low in (("dark", 0), ("light", 128)):
        (folder / name).mkdir()
        for index in range(30):
            picture = generator.integers(low, low + 128, (40, 50, 3))
            keras.utils.save_img(folder / name / f"{index}.png", picture, scale=False)
    return folder


def test_the_articles_job_learns_and_leaves_everything(folder, tmp_path, example):
    common = ("--data", folder, "--image-size", 16, "--batch-size", 4, "--epochs", 2)
    lines = example("article.py", *common, "--output", tmp_path).splitlines()
    # Twice twelve batches of four among 48 images.
    assert [line.split(":")[0] for line in lines if line.startswith("step ")] == [
        "step 10",
        "step 20",
    ]
    with (tmp_path / "losses.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert f"step 10: loss {losses[9]:.4f}" in lines
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["images"], summary["steps"]) == (48, 24)
    assert summary["classes"] == ["dark", "light"]
    assert summary["backend"] == keras.backend.backend()
    assert 0 <= summary["held_out_accuracy"] <= 1
    model = keras.saving.load_model(tmp_path / "model.keras")
    weights = [keras.ops.convert_to_numpy(weight).copy() for weight in model.weights]
    model.load_weights(tmp_path / "model.weights.h5")
    for weight, expected in zip(model.weights, weights, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), expected)

    log = EventAccumulator(str(tmp_path / "logs" / "train"), {"tensors": 0, "scalars": 0})
    log.Reload()
    assert [event.step for event in log.Scalars("step_loss")] == [10, 20]
    assert log.Scalars("step_loss")[0].value == pytest.approx(losses[9], rel=1e-5)
    tags = set(log.Tags()["tensors"])
    assert {"epoch_loss", "features/stem", "features/encoder"} <= tags
    assert any("kernel" in tag for tag in tags), "no histogram of weights"


# Where the pictures begin, below the titles and behind the names of the rows.
TOP, LEFT = 19 + 4, 96 + 4


def test_the_picture_of_the_masks(tmp_path, example):
    generator = np.random.default_rng(0)
    keras.utils.save_img(tmp_path / "photo.png", generator.integers(0, 256, (150, 200, 3)))
    output = tmp_path / "deep" / "masks.png"
    example("masks.py", "--image", tmp_path / "photo.png", "--output", output)
    picture = np.asarray(keras.utils.load_img(output))
    assert picture.shape == (TOP + 3 * 148 - 4, LEFT + 7 * 148 - 4, 3)
    tops, lefts = TOP + 148 * np.arange(3), LEFT + 148 * np.arange(7)
    columns = [[picture[t : t + 144, left : left + 144] for t in tops] for left in lefts]
    original = columns[0][0]
    for column in columns[1:]:
        changed = [(view != original).any(axis=-1).mean() for view in column]
        # At least the share of the round's blocks less what rounding leaves alone.
        assert changed == sorted(changed)
        assert 0.15 < changed[0] <= 0.27
        assert 0.6 < changed[2] <= 0.77


def test_mistakes_are_one_line_and_an_error(tmp_path, refusal):
    (tmp_path / "alone").mkdir()
    keras.utils.save_img(tmp_path / "alone" / "1.png", np.zeros((8, 8, 3)))
    for script, arguments, message in (
        ("article.py", ("--data", tmp_path / "none"), "none"),
        ("article.py", ("--epochs", 0), "--epochs must be at least 1"),
        ("masks.py", ("--image", tmp_path / "none.jpg"), "--image"),
    ):
        assert message in refusal(script, *arguments)
