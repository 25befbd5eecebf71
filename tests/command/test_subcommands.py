"""Subcommands in this process, with tiny models: what they write, and for which images."""

import csv
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

import keras_simmim as ks
from keras_simmim.command import main

pytestmark = pytest.mark.long


def run(line):
    """The exit code of the command with these arguments, none of which has a space."""
    return main(line.split())


GENERATOR = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a tiny model and images of two classes, of which one is broken."""
    monkeypatch.chdir(tmp_path)
    for name, low in (("dark", 0), ("light ö", 128)):
        Path("photos", name).mkdir(parents=True)
        for number in range(6):
            pixels = GENERATOR.integers(low, low + 128, (32, 48, 3), dtype="uint8")
            exif = Image.Exif()
            exif[0x0112] = 6 if number % 2 else 1
            Image.fromarray(pixels).save(f"photos/{name}/{number} a.jpg", exif=exif)
    Path("photos/dark/broken.jpg").write_bytes(b"no image")
    Path("photos/dark/notes.txt").write_text("no image")
    backbone = ks.backbones.ViT((16, 16, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 1)).save("tiny.keras")
    return tmp_path


def test_embeddings_lie_beside_the_names_of_their_files(folder, capsys):
    assert run("embed --model tiny.keras --data photos --output out/x.npy") == 0
    assert "out/x.npy: float32 (12, 8)" in capsys.readouterr().out
    embeddings, names = np.load("out/x.npy"), Path("out/x.txt").read_text().splitlines()
    assert embeddings.dtype == "float32"
    expected = [f"{name}/{number} a.jpg" for name in ("dark", "light ö") for number in range(6)]
    assert names == expected
    assert sorted(path.name for path in Path("out").iterdir()) == ["x.npy", "x.txt"]
    assert run("embed --model tiny.keras --data photos --output out/x.parquet") == 0
    table = parquet.read_table("out/x.parquet")
    assert table["file"].to_pylist() == names
    np.testing.assert_array_equal(np.stack(table["embedding"].to_numpy()), embeddings)
    # Each row is that of its file alone.
    model = keras.saving.load_model("tiny.keras")
    Path("one").mkdir()
    Path("photos", names[7]).rename("one/it.jpg")
    one = ks.data.image_folder("one", 16, 1, labels=None, training=False)
    np.testing.assert_allclose(embeddings[7:8], model.embed(one), rtol=1e-4, atol=1e-5)


def test_every_image_gets_a_class(folder, capsys):
    assert run("classify --model tiny.keras --data photos --output c.csv") == 1
    assert "--model tiny.keras: names no classes" in capsys.readouterr().err
    source = keras.saving.load_model("tiny.keras")
    model = ks.ImageClassifier.from_pretrained(source, 2, class_names=["dark", "light, ö"])
    model.save("classifier.keras")
    assert run("classify --model classifier.keras --data photos --output c.csv") == 0
    with Path("c.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [f"{name}/{number} a.jpg" for name in ("dark", "light ö") for number in range(6)]
    assert [row["file"] for row in rows] == names
    images = ks.data.image_folder("photos", 16, labels=None, training=False)
    expected = model.predict(images, verbose=0)
    assert [row["class"] for row in rows] == [
        ["dark", "light, ö"][number] for number in expected.argmax(1)
    ]
    found = [float(row["probability"]) for row in rows]
    np.testing.assert_allclose(found, expected.max(1), atol=1e-4)


def test_classes_are_evaluated_beside_colors(folder, capsys):
    assert run("evaluate --model tiny.keras --data photos --output found.json") == 0
    found = json.loads(Path("found.json").read_text())
    assert found["classes"] == ["dark", "light ö"]
    # Brightness tells the classes apart, so that nothing is to be learned from the pixels.
    assert found["colors"]["knn"] == {"1": 1.0, "5": 1.0}
    assert found["colors"]["probe"]["accuracy"] == 1
    assert found["held_out"] + found["images"] == 12
    assert "colors alone, linear probe          100.0%" in capsys.readouterr().out
    Path("few").mkdir()
    for number in range(3):
        Path(f"photos/dark/{number} a.jpg").rename(f"few/{number}.jpg")
    assert run("evaluate --model tiny.keras --data few") == 0
    output = capsys.readouterr().out
    assert "there are no classes to name" in output
    assert "Embeddings of 3 images" in output


def test_masks_have_the_sizes_of_the_images_as_one_looks_at_them(folder):
    backbone = ks.backbones.ViT((16, 16, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    segmenter = ks.ImageSegmenter(backbone, 3, "fcn", class_names=["a", "b", "c"], neck_width=8)
    segmenter.save("segmenter.keras")
    assert run("segment --model segmenter.keras --data photos --output masks") == 0
    files = sorted(Path("masks").rglob("*.*"))
    assert len(files) == 12
    with Image.open("masks/dark/0 a.png") as flat, Image.open("masks/dark/1 a.png") as turned:
        assert (flat.size, turned.size) == ((48, 32), (32, 48))
        values = np.asarray(turned)
    whole = ks.data.WholeImage(16)
    plain = ks.data.image_folder("photos", crop=whole, labels=None, training=False, batch_size=12)
    classes = segmenter.segment(plain)[1]
    # The nearest of 16 × 16 pixels.
    rows, columns = (np.arange(48) + 0.5) * 16 // 48, (np.arange(32) + 0.5) * 16 // 32
    np.testing.assert_array_equal(values, classes[rows.astype(int)][:, columns.astype(int)])


def test_boxes_are_in_pixels_of_the_images(folder, monkeypatch):
    backbone = ks.backbones.ViT((16, 16, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    ks.YOLO(backbone, 1, ["cat"], neck_width=8, head_width=8).save("detector.keras")

    def found(self, images, score):
        boxes, scores = np.float32([[4, 0, 12, 8]]), np.float32([score])
        return [{"boxes": boxes, "scores": scores, "labels": np.int32([0])}] * len(images)

    monkeypatch.setattr(ks.YOLO, "detect", found)
    arguments = "detect --model detector.keras --data photos --output found.json --score 0.5"
    assert run(arguments) == 0
    listed = json.loads(Path("found.json").read_text())
    assert [each["file_name"] for each in listed["images"]][1] == "dark/1 a.jpg"
    assert [listed["images"][1][side] for side in ("width", "height")] == [32, 48]
    assert listed["annotations"][0]["bbox"] == [12, 0, 24, 16]
    assert listed["annotations"][1]["bbox"] == [8, 0, 16, 24]
    assert {each["score"] for each in listed["annotations"]} == {0.5}
    assert listed["categories"] == [{"id": 0, "name": "cat"}]
    # What was written can be read, as COCO is.
    dataset = ks.data.coco("found.json", "photos", 16, training=False)
    _, truth = next(dataset.as_numpy_iterator())
    np.testing.assert_allclose(truth["boxes"][:2, 0], [[4, 0, 12, 8]] * 2, atol=0.1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "segment --model tiny.keras --data photos --output masks",
            "is no segmenter, but a SimMIM",
        ),
        ("detect --model tiny.keras --data photos --output a.json", "is no detector, but a SimMIM"),
        ("finetune --model tiny.keras --data photos/dark --output a", "has no classes; put the"),
        ("finetune --model tiny.keras --data photos --output a --held-out 1", "nothing to learn"),
        ("finetune --model two.keras --data photos --output a", "2"),
    ],
)
def test_models_and_images_that_do_not_fit(folder, given, message, capsys):
    if "two.keras" in given:
        backbone = ks.backbones.ConvNet((16, 16, 2), filters=(4,))
        ks.SimMIM(backbone, ks.masking.SpatialMasking(), mask_on="pixels").save("two.keras")
    assert run(given) == 1
    assert message in capsys.readouterr().err.splitlines()[-1]
