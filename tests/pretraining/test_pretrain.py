"""One call from images to a network: what it takes, what it chooses, and how it goes on."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_simmim as ks
from keras_simmim.pretraining.images import open_images

# What it puts together is tested on every backend where it is.
pytestmark = pytest.mark.fast_on("torch")

# Its function has the same name.
MODULE = sys.modules["keras_simmim.pretraining.pretrain"]
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 16, 24, 3), dtype="uint8")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Networks of one narrow block, which compile in a moment."""
    choose = ks.pretraining.choose

    def narrow(count):
        sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "batch_size": min(count or 4, 4)}
        return dataclasses.replace(choose(count), tokens=6, **sizes)

    monkeypatch.setattr("keras_simmim.pretraining.images.choose", narrow)


def write_folder(folder, sizes):
    folder.mkdir()
    generator = np.random.default_rng(0)
    for index, (height, width) in enumerate(sizes):
        picture = generator.integers(0, 256, (height, width, 3))
        keras.utils.save_img(folder / f"{index}.png", picture, scale=False)


# ---------------------------------------------------------------------------- what it chooses


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (2, (4, 128, 2, 200)),
        (4_999, (4, 128, 64, 200)),
        (5_000, (6, 192, 128, 100)),
        (50_000, (12, 384, 256, 100)),
        (None, (12, 384, 256, 100)),
    ],
)
def test_the_number_of_images_decides(count, expected):
    choice = ks.pretraining.choices.choose(count)
    found = (choice.num_layers, choice.hidden_dim, choice.batch_size, choice.epochs)
    assert found == expected


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("size", "patch", "fitting"),
    [((32, 32), 4, (32, 32)), ((28, 28), 4, (28, 28)), ((300, 200), 25, (310, 186)),
     ((5, 7), 1, (5, 7))],
)  # fmt: skip
def test_patches_fill_the_images(size, patch, fitting):
    choice = ks.pretraining.choices.choose(100)
    assert choice.patch_size(size) == patch
    assert choice.fitting(size) == fitting


# ------------------------------------------------------------------------------- what it takes


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param((3, 16, 24, 3), marks=pytest.mark.long),
        (12, 17, 23),
        pytest.param((8, 16, 24, 2), marks=pytest.mark.long),
    ],
)
def test_arrays(shape, capsys):
    images = np.random.default_rng(0).integers(0, 256, shape, dtype="uint8")
    model = ks.pretrain(images, epochs=1)
    assert "loss" in capsys.readouterr().out
    sample = open_images(images).sample
    assert sample.shape[1:] == model.backbone.image_shape
    np.testing.assert_allclose(model.mean, sample.mean((0, 1, 2)), rtol=1e-5)
    assert model.embed(sample).shape == (len(images), 8)
    # Two crops of each image were compared.
    assert [each.name for each in model.objectives] == ["agreement"]


@pytest.mark.long
def test_a_folder_of_many_sizes_with_broken_files(tmp_path, capsys):
    sizes = [(16 + 3 * index, 40 - index) for index in range(9)]
    write_folder(tmp_path / "images", sizes)
    (tmp_path / "images" / "broken.png").write_bytes(b"no image")
    (tmp_path / "images" / "half.png").write_bytes(
        (tmp_path / "images" / "0.png").read_bytes()[:300]
    )
    model = ks.pretrain(tmp_path / "images", epochs=1, output=tmp_path / "run", reconstruct=True)
    assert model.backbone.image_shape[-1] == 3
    # What is written is all that a run has.
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names >= {
        "model.keras",
        "report.html",
        "losses.csv",
        "reconstructions.png",
        "neighbors.png",
    }
    assert "11 images" in capsys.readouterr().out


@pytest.mark.turned(2)
@pytest.mark.long
@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_shards(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_folder(tmp_path / "images", [(16 + index, 20) for index in range(9)])
    if kind == "tar":
        ks.data.write_shards(tmp_path / "images", tmp_path / "shards", images_per_shard=5)
    else:
        import pyarrow
        import pyarrow.parquet

        contents = [path.read_bytes() for path in sorted((tmp_path / "images").iterdir())]
        (tmp_path / "shards").mkdir()
        for name, part in (("0", contents[:5]), ("1", contents[5:])):
            table = pyarrow.table({"image": part})
            pyarrow.parquet.write_table(table, tmp_path / "shards" / f"{name}.parquet")
    pattern = str(tmp_path / "shards" / f"*.{kind}")
    model = ks.pretrain(pattern, epochs=1, output=tmp_path / "run")
    assert model.backbone.image_shape[-1] == 3
    settings = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]
    assert (settings["data"], settings["images"]) == (pattern, 9)
    paths = sorted((tmp_path / "shards").glob(f"*.{kind}"))
    assert open_images([str(path) for path in paths]).count == 9
    assert open_images(paths[0]).count == 5


def test_a_data_set_of_ones_own():
    dataset = ks.data.from_arrays(IMAGES, np.arange(12), batch_size=4)
    model = ks.pretrain(dataset, epochs=1)
    assert model.crops.count == 2
    with pytest.raises(ValueError, match=r"image_size must be None for a tf.data.Dataset.* got 8"):
        ks.pretrain(dataset, image_size=8)
    with pytest.raises(ValueError, match=r"batch_size must be None for a tf.data.Dataset, got 8"):
        ks.pretrain(dataset, batch_size=8)


def test_a_model_of_ones_own():
    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(), mask_on="pixels")
    assert ks.pretrain(IMAGES, model=model, epochs=1) is model
    assert int(keras.ops.convert_to_numpy(model.step)) == 3
    with pytest.raises(ValueError, match=r"model takes images \(16, 24, 3\), .* \(16, 24, 1\)"):
        ks.pretrain(IMAGES[..., :1], model=model)


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        (IMAGES[:1], {}, ValueError, "at least 2 images, got 1"),
        (IMAGES[:, 0, 0], {}, ValueError, r"got the shape \(12, 3\)"),
        (7, {}, TypeError, "data must be an array .*, got int"),
        (IMAGES, {"epochs": 0}, ValueError, "epochs must be an integer .* got 0"),
        (IMAGES, {"batch_size": 1.5}, ValueError, "batch_size must be an integer .* got 1.5"),
        (IMAGES, {"model": "vit"}, TypeError, "model must be a SimMIM, got str"),
        ("nowhere", {}, FileNotFoundError, "nowhere"),
    ],
)
def test_bad_arguments_are_named(data, options, error, message):
    with pytest.raises(error, match=message):
        ks.pretrain(data, **options)


# ------------------------------------------------------------------------------- how it goes on


class KilledError(Exception):
    """Stands for a signal that nobody can catch."""


@pytest.mark.long
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(tmp_path, monkeypatch):
    whole = ks.pretrain(IMAGES, epochs=2, output=tmp_path / "whole", save_every=2, seed=3)

    class Stop(MODULE.WarnOfCollapse):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1 and self.model.optimizer.iterations == 5:
                raise KilledError

    run = {"epochs": 2, "output": tmp_path / "run", "save_every": 2, "seed": 3}
    with monkeypatch.context() as patch:
        patch.setattr(MODULE, "WarnOfCollapse", Stop)
        with pytest.raises(KilledError):
            ks.pretrain(IMAGES, **run)
    last = max(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert last == "step-00000004"
    again = ks.pretrain(IMAGES, **run)
    for one, other in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # Once more: there is nothing left to do.
    once_more = ks.pretrain(IMAGES, **run)
    assert int(keras.ops.convert_to_numpy(once_more.step)) == 6
    for options in ({"seed": 4}, {"batch_size": 3}, {"patch_size": 4}, {"reconstruct": True}):
        with pytest.raises(ValueError, match=f"{next(iter(options))}: the run .* was begun with"):
            ks.pretrain(IMAGES, **{**run, **options})
    # Said of the table's own choice, and in a record that an earlier version wrote.
    record = tmp_path / "run" / "run.json"
    written = json.loads(record.read_text())
    patch_size = written["settings"].pop("patch_size")
    ks.pretrain(IMAGES, **run, patch_size=patch_size)
    record.write_text(json.dumps(written))
    ks.pretrain(IMAGES, **run)
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["images"] == 12


@pytest.mark.long
def test_a_finished_run_trains_on_at_the_rates_of_the_longer_one(tmp_path):
    run = {"output": tmp_path / "run", "batch_size": 4}
    first = ks.pretrain(IMAGES, epochs=1, **run)
    before = first.get_weights()
    assert ks.pretraining.Run.epochs_of(tmp_path / "run") == 1
    second = ks.pretrain(IMAGES, epochs=3, **run)
    assert int(keras.ops.convert_to_numpy(second.step)) == 9
    # At those of the shorter one, which had come to 0, nothing would have moved but the counts.
    assert (
        max(np.abs(a - b).max() for a, b in zip(before[:2], second.get_weights()[:2], strict=True))
        > 1e-4
    )
    rates = ks.pretraining.choices.rate_of(1.5e-3, 9)
    assert second.optimizer.get_config()["learning_rate"]["config"] == rates.get_config()
    # As if it had been killed behind its last checkpoint.
    (tmp_path / "run" / "summary.json").unlink()
    (tmp_path / "run" / "model.keras").unlink()
    assert not ks.pretraining.Run.is_whole(tmp_path / "run")
    ks.pretrain(IMAGES, epochs=3, **run)
    assert (tmp_path / "run" / "model.keras").exists()
    assert ks.pretraining.Run.is_whole(tmp_path / "run")


@pytest.mark.any_backend
def test_nothing_but_the_run_is_removed(tmp_path):
    (tmp_path / "checkpoints" / "step-00000001").mkdir(parents=True)
    for name in ("run.json", "model.keras", "notes.txt", "holiday.png"):
        (tmp_path / name).write_text("{}")
    ks.pretraining.Run.remove(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "holiday.png"}


KILLED = """
import os, signal, sys
import numpy as np
import keras, keras_simmim as ks

class Kill(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            os.kill(os.getpid(), signal.SIGKILL)

images = np.load("images.npy")
if sys.argv[1] == "kill":
    sys.modules["keras_simmim.pretraining.pretrain"].WarnOfCollapse = lambda images: Kill()
model = ks.pretrain(images, epochs=1, output="run", save_every=1, batch_size=4)
print("steps", int(model.step))
"""


@pytest.mark.long
def test_a_process_that_was_killed_is_started_again(tmp_path):
    np.save(tmp_path / "images.npy", np.tile(IMAGES, (2, 1, 1, 1)))
    environment = os.environ | {"PYTHONPATH": str(Path(ks.__file__).parents[1])}
    codes, outputs = [], []
    for word in ("kill", "go on"):
        result = subprocess.run(
            [sys.executable, "-c", KILLED, word],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        codes.append(result.returncode)
        outputs.append(result.stdout)
    assert codes == [-signal.SIGKILL, 0], result.stderr
    assert "after epoch 0, batch 2" in outputs[1]
    assert "steps 6" in outputs[1]


# ----------------------------------------------------------------------------------- collapse


def test_a_collapse_is_warned_of_while_it_happens():
    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 1))
    callback = ks.training.callbacks.WarnOfCollapse(IMAGES, every=2)
    callback.set_model(model)
    callback.on_train_begin()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        callback.on_epoch_end(1)
        # Whatever the image is, there is nothing but positions to see.
        backbone.stem.kernel.assign(0 * backbone.stem.kernel)
        callback.on_epoch_end(2)
    with pytest.warns(UserWarning, match="the embeddings collapse: after epoch 4 .* rank is"):
        callback.on_epoch_end(3)
    for options, message in (({"every": 0}, "every"), ({"share": 1}, "share")):
        with pytest.raises(ValueError, match=f"{message} must be .* got"):
            ks.training.callbacks.WarnOfCollapse(IMAGES, **options)
    with pytest.raises(ValueError, match="at least 2 images, got 1"):
        ks.training.callbacks.WarnOfCollapse(IMAGES[:1])
