"""examples/finetune.py and evaluate.py as a user runs them, on a model of their own."""

import json

import keras
import numpy as np
import pytest

import keras_simmim as ks

pytestmark = [pytest.mark.long, pytest.mark.turned(2)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Twenty pictures in each of the class folders dark and light; as many without classes."""
    folder = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(0)
    for name, low in (("dark", 0), ("light", 128)):
        (folder / "classes" / name).mkdir(parents=True)
        (folder / "plain").mkdir(exist_ok=True)
        for index in range(20):
            picture = generator.integers(low, low + 128, (20, 20, 3))
            path = folder / "classes" / name / f"{index}.png"
            keras.utils.save_img(path, picture, scale=False)
            keras.utils.save_img(folder / "plain" / f"{name}{index}.png", picture, scale=False)
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a run, with a tiny model for images of 16² pixels."""
    folder = tmp_path_factory.mktemp("run")
    backbone = ks.backbones.ViT((16, 16, 3), 8, num_layers=1, num_heads=2, hidden_dim=16)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 1))
    model.compile(keras.optimizers.AdamW(1e-3))
    model.save(folder / "model.keras")
    grey = ks.backbones.ViT((16, 16, 1), 8, num_layers=1, num_heads=2, hidden_dim=16)
    ks.SimMIM(grey, ks.masking.SpatialMasking(0.5, 1)).save(folder / "grey.keras")
    return folder


def test_few_labels_teach_and_are_compared(folders, saved, tmp_path, example):
    common = ("--model", saved, "--data", folders / "classes", "--output", tmp_path / "out")
    options = ("--labels-per-class", 5, "--steps", 60, "--compare-scratch")
    assert "Classes: dark, light." in example("finetune.py", *common, *options)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["labels"] == 10
    assert summary["classes"] == ["dark", "light"]
    assert summary["held_out"] == 8
    low, high = summary["accuracy_interval"]
    assert 0 <= low <= summary["accuracy"] <= high <= 1
    assert summary["accuracy"] > 0.9
    assert 0 <= summary["scratch_accuracy"] <= 1
    assert {"balanced_accuracy", "scratch_balanced_accuracy", "seconds", "seed"} <= set(summary)
    classifier = keras.saving.load_model(tmp_path / "out" / "classifier.keras")
    assert classifier.class_names == ["dark", "light"]
    for name in ("confusion.png", "embeddings.png"):
        assert (tmp_path / "out" / name).stat().st_size > 1000


def test_the_report_has_all_blocks_and_the_colors(folders, saved, tmp_path, example):
    common = ("--model", saved / "model.keras", "--data", folders / "classes")
    example("evaluate.py", *common, "--output", tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report["representations"]) == {"block 0", "features", "colors"}
    # Dark and light are told apart by their color alone.
    assert report["representations"]["colors"]["accuracy"] == 1
    assert report["best"] in ("block 0", "features")
    picture = keras.utils.img_to_array(keras.utils.load_img(tmp_path / "neighbors.png"))
    # A line of titles; a query, a gap of an eighth and eight neighbors, 4 pixels between all.
    assert picture.shape == (16 + 8 * 20 - 4, 16 + 2 + 8 * 16 + 9 * 4, 3)


@pytest.mark.parametrize("script", ["finetune.py", "evaluate.py"])
def test_mistakes_are_one_line_and_an_error(folders, saved, tmp_path, script, refusal):
    mistakes = [
        (("--model", tmp_path / "none.keras"), "there is no such file"),
        (("--model", saved, "--data", folders / "plain"), "no labels"),
    ]
    if script == "evaluate.py":
        grey = saved / "grey.keras"
        mistakes.append((("--model", grey, "--data", folders / "classes"), "channels"))
    else:
        mistakes.append((("--model", saved, "--limit", 20), "the model's"))
    for arguments, message in mistakes:
        assert message in refusal(script, *arguments)
