"""examples/export.py as a user runs it, and the client that asks what it exported."""

import importlib
import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from encoded_images import encoded
from PIL import Image
from serving_emulator import Rest

import keras_simmim as ks

pytestmark = [pytest.mark.long, pytest.mark.turned(2)]

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def run(monkeypatch, capsys):
    """A function that runs an example in this process, and gives what it prints."""
    monkeypatch.syspath_prepend(EXAMPLES)

    def run(script, *arguments):
        monkeypatch.delitem(sys.modules, script, raising=False)
        monkeypatch.setattr("sys.argv", [f"{script}.py", *map(str, arguments)])
        importlib.import_module(script).main()
        return capsys.readouterr().out

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a fine-tuning run, and images beside it."""
    folder = tmp_path_factory.mktemp("work")
    backbone = ks.backbones.ViT((16, 16, 3), 8, num_layers=1, num_heads=2, hidden_dim=16)
    model = ks.ImageClassifier(backbone, 2, class_names=["cat", "dog"])
    (folder / "run").mkdir()
    model.save(folder / "run" / "classifier.keras")
    grey = ks.backbones.ConvNet((16, 16, 1))
    ks.ImageClassifier(grey, 2).save(folder / "grey.keras")
    summary = {"dataset": "noise", "seed": 5, "accuracy": 0.75, "scratch_accuracy": None}
    (folder / "run" / "summary.json").write_text(json.dumps(summary))
    (folder / "images").mkdir()
    for index in range(10):
        pixels = np.random.default_rng(index).integers(0, 256, (20, 20, 3), dtype="uint8")
        (folder / "images" / f"{index}.png").write_bytes(encoded(pixels, "PNG"))
    return folder


@pytest.mark.usefixtures("tensorflow_process")
def test_a_run_is_exported_asked_and_served(folder, run):
    common = ("--model", folder / "run", "--data", folder / "images", "--samples", 2)
    image, output = folder / "images" / "3.png", folder / "models" / "pets"
    printed = run("export", *common, "--output", output, "--image", image)
    assert f"Exported from {keras.backend.backend()} to {output / '1'}." in printed

    card = (output / "1" / "README.md").read_text()
    assert "- data: noise\n- seed: 5\n- metrics:\n  - accuracy: 0.75\n" in card
    assert (output / "1" / "assets.extra" / "tf_serving_warmup_requests").exists()

    with Rest(ks.export.ServedModel(output / "1"), "pets", 1) as server:
        told = run("serve_client", image, "--model", "pets", "--server", server.address)
    model = keras.saving.load_model(folder / "run" / "classifier.keras")
    pixels = ks.data.image_folder(folder / "images", 16, 10, labels=None, training=False)
    expected = model.predict(next(iter(pixels))[3:4].numpy(), verbose=0)[0]
    for name, probability in zip(("cat", "dog"), expected, strict=True):
        assert f"{name} {probability:.4f}" in told
        assert f"{name} {probability:.4f}" in printed


@pytest.mark.usefixtures("tensorflow_process")
def test_segmenters_and_detectors_are_exported_and_asked(folder, run):
    sizes = {"num_classes": 2, "class_names": ["sea", "land"], "neck_width": 8}
    backbone = ks.backbones.ViT((16, 16, 3), 8, num_layers=1, num_heads=2, hidden_dim=16)
    models = {
        "zones": ks.ImageSegmenter(backbone, decoder="fcn", **sizes),
        "trees": ks.YOLO(backbone, head_width=8, score_threshold=0.0, **sizes),
    }
    image, told = folder / "images" / "3.png", {}
    for name, model in models.items():
        (folder / name).mkdir()
        model.save(folder / name / "model.keras")
        common = ("--data", folder / "images", "--samples", 2, "--image", image)
        output = folder / "models" / name
        printed = run("export", "--model", folder / name, "--output", output, *common)
        with Rest(ks.export.ServedModel(output / "1"), name, 1) as server:
            options = ("--server", server.address, "--output", folder / "models")
            told[name] = run("serve_client", image, "--model", name, *options)
        assert told[name].partition(": ")[2] in printed
    path = folder / "models" / "3-classes.png"
    assert told["zones"] == f"{image}: {path}, with 0 sea, 1 land\n"
    pixels = ks.data.image_folder(folder / "images", 16, 10, labels=None, training=False)
    expected = models["zones"].segment(next(iter(pixels))[3:4].numpy())[0]
    assert (np.asarray(Image.open(path)) == expected).mean() > 0.98
    assert told["trees"].startswith(f"{image}: 20 × 20 pixels, ")


def test_mistakes_are_one_line(folder, run):
    images, output = folder / "images", folder / "wrong"
    for arguments, message in (
        (("--model", folder / "none.keras", "--output", output), "there is no such file"),
        (("--model", folder / "grey.keras", "--data", images, "--output", output),
         "images are (16, 16, 3), the model's (16, 16, 1)"),
        (("--model", folder / "run", "--data", folder / "no", "--output", output), "--data"),
        (("--model", folder / "run", "--data", images, "--output", output, "--version", 0),
         "version must be at least 1"),
    ):  # fmt: skip
        with pytest.raises(SystemExit) as error:
            run("export", *arguments)
        assert message in error.value.code
        assert "\n" not in error.value.code
    assert not output.exists()
