"""examples/pretrain_imagenet.py as a user tries it: few small images, a small network."""

import csv
import json

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import keras_simmim as ks

pytestmark = [pytest.mark.long, pytest.mark.turned(2)]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Ten pictures in one folder."""
    folder = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(0)
    for index in range(10):
        picture = generator.integers(0, 256, (40, 50, 3))
        keras.utils.save_img(folder / f"{index}.png", picture, scale=False)
    return folder


def test_a_trial_follows_the_recipe(photographs, tmp_path, example, shallow):
    recipe = ("--recipe", "simmim_vit_base_800ep", "--model", "simmim_vit_tiny")
    size = ("--image-size", 32, "--limit", 8, "--batch-size", 4)
    common = ("--data", photographs, *recipe, *size, "--output", tmp_path)
    printed = example("pretrain_imagenet.py", *common, "--epochs", 2)
    # An epoch has two batches, so that no more than two can add up.
    assert "2 × 4 images an update" in printed

    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["backend"] == keras.backend.backend()
    assert (summary["recipe"], summary["model"]) == (recipe[1], recipe[3])
    assert (summary["images"], summary["image_shape"]) == (8, [32, 32, 3])
    assert (summary["epochs"], summary["steps"]) == (2, 4)
    with (tmp_path / "losses.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert np.isfinite(losses).all()
    assert len(losses) == 4

    optimizer = keras.saving.load_model(tmp_path / "model.keras").optimizer
    recipe = ks.training.pretraining_recipe(recipe[1], steps_per_epoch=2, batch_size=8)
    expected = recipe.optimizer(gradient_accumulation_steps=2).get_config()
    assert {**optimizer.get_config(), "name": None} == {**expected, "name": None}
    assert float(keras.ops.convert_to_numpy(optimizer.iterations)) == 2

    log = EventAccumulator(str(tmp_path / "logs" / "train"), {"images": 0, "tensors": 0})
    log.Reload()
    assert log.Images("reconstructions")
    assert {"epoch_loss", "epoch_learning_rate"} <= set(log.Tags()["tensors"])


def test_mistakes_are_one_line_and_an_error(photographs, refusal):
    for arguments, message in (
        (("--recipe", "simmim"), "--recipe: name must be one of"),
        (("--data", photographs, "--model", "resnet"), "preset must be one of"),
        (("--resume",), "--resume needs --output"),
    ):
        assert message in refusal("pretrain_imagenet.py", *arguments)
