"""examples/train.py as a user runs it: a folder of images, an interruption, mistakes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import keras_simmim as ks

pytestmark = [pytest.mark.long, pytest.mark.turned(2)]

SCRIPT = Path(__file__).parents[2] / "examples" / "train.py"
SUMMARY = {
    "backend",
    "dataset",
    "images",
    "image_shape",
    "epochs",
    "steps",
    "seconds",
    "images_per_second",
    "loss_first",
    "loss_last",
    "knn_before",
    "knn_after",
    "parameters",
    "seed",
}


# The script as it stands, in a process of its own, with as few blocks as in this one.
SHALLOW = """
import runpy, sys
from conftest import vit_of_one_block
import keras_simmim as ks
ks.backbones.ViT = vit_of_one_block(ks.backbones.ViT)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def train(*arguments):
    return subprocess.run(
        [sys.executable, "-c", SHALLOW, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "200", "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parent,
    )


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Twenty pictures of two classes, dark and light, in sub-folders."""
    folder = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(0)
    for name, low in (("dark", 0), ("light", 128)):
        (folder / name).mkdir()
        for index in range(10):
            picture = generator.integers(low, low + 128, (40, 50, 3))
            keras.utils.save_img(folder / name / f"{index}.png", picture, scale=False)
    return folder


def test_a_folder_is_trained_on_and_a_run_is_continued(
    photographs, tmp_path, example, refusal, shallow
):
    common = ("--data", photographs, "--image-size", 32, "--batch-size", 8, "--output", tmp_path)
    common += ("--reconstruct",)
    first = example("train.py", *common, "--epochs", 1, "--save-every", 1, "--resume")
    assert "Continuing" not in first
    # As if it had been killed behind the first of two batches.
    shutil.rmtree(tmp_path / "checkpoints" / "step-00000002")
    refused = refusal("train.py", *common, "--epochs", 2, "--resume", "--seed", 1)
    assert refused.startswith("--seed: ")
    assert "was begun with 0" in refused
    # In a process of its own, as a user continues a run.
    second = train(*common, "--epochs", 2, "--resume")
    assert second.returncode == 0, second.stderr
    assert "after epoch 0, batch 1" in second.stdout

    summary = json.loads((tmp_path / "summary.json").read_text())
    assert set(summary) >= SUMMARY
    assert summary["backend"] == keras.backend.backend()
    assert (summary["images"], summary["image_shape"]) == (16, [32, 32, 3])
    assert (summary["epochs"], summary["steps"]) == (2, 4)
    assert 0 <= summary["knn_before"] <= 1
    assert np.isfinite([summary["loss_first"], summary["loss_last"]]).all()
    assert (tmp_path / "model.keras").exists()
    assert (tmp_path / "reconstructions.png").exists()
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["settings"]["epochs"], record["earlier"][0]["settings"]["epochs"]) == (2, 1)
    rows = (tmp_path / "epochs.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "0", "1", "2"]
    assert "data:image/png" in (tmp_path / "report.html").read_text()
    assert "epoch 2/2  step 2/2  loss " in second.stdout

    log = EventAccumulator(str(tmp_path / "logs" / "train"), {"images": 0, "tensors": 0})
    log.Reload()
    assert log.Images("reconstructions")
    # The first epoch ended in both runs.
    assert [event.step for event in log.Scalars("losses/loss")] == [1, 1, 2]
    assert {"settings", "features/stem"} <= set(log.Tags()["tensors"])


def test_images_in_shards_are_trained_on(photographs, tmp_path, monkeypatch, example, shallow):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ks.data.write_shards(photographs, tmp_path / "shards", images_per_shard=7)
    options = ("--image-size", 32, "--batch-size", 8, "--epochs", 1, "--output", tmp_path / "run")
    example("train.py", "--data", f"{tmp_path}/shards/*.tar", *options)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["images"], summary["steps"]) == (16, 2)
    assert 0 <= summary["knn_after"] <= 1


def test_mistakes_are_one_line_and_an_error(tmp_path, refusal):
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        (("--data", tmp_path / "empty"), "no images"),
        (("--image-size", 5), "--image-size must be at least 8, got 5"),
    ):
        assert message in refusal("train.py", *arguments)
