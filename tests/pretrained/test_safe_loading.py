"""Loading runs nothing, reads no other file, and refuses what is damaged by a named error."""

import io
import json
import os
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_simmim as ks
from keras_simmim.training.keras_file import read_keras

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import fuzz

sys.path.pop(0)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """The parts of a small model's file, by name."""
    path = tmp_path_factory.mktemp("model") / "model.keras"
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    network.save(path)
    return fuzz.unzip(path.read_bytes())


def with_weights(parts, change):
    file = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(file, "r+") as weights:
        change(weights["layers/dense/vars"])
    return {**parts, "model.weights.h5": file.getvalue()}


def written(parts, tmp_path):
    (tmp_path / "changed.keras").write_bytes(fuzz.rezip(parts))
    return tmp_path / "changed.keras"


def test_code_in_a_model_is_refused(tmp_path, monkeypatch):
    images = keras.Input((3,))
    code = keras.layers.Lambda(
        lambda x: [x, __import__("os").environ.__setitem__("CODE_RAN", "1")][0], output_shape=(3,)
    )
    keras.Model(images, code(images)).save(tmp_path / "code.keras")
    monkeypatch.delenv("CODE_RAN", raising=False)
    for read in (read_keras, ks.SimMIM.from_preset, _classifier):
        with pytest.raises(ValueError, match=r"code\.keras cannot be read.*[Ll]ambda"):
            read(str(tmp_path / "code.keras"))
    assert "CODE_RAN" not in os.environ


def _classifier(path):
    return ks.ImageClassifier.from_pretrained(path, num_classes=2)


def test_a_class_of_another_package_is_refused(parts, tmp_path):
    config = json.loads(parts["config.json"])
    config.update(module="subprocess", class_name="Popen", registered_name="Popen")
    path = written({**parts, "config.json": json.dumps(config).encode()}, tmp_path)
    with pytest.raises(ValueError, match=r"changed\.keras cannot be read"):
        read_keras(path)


@pytest.mark.parametrize("name", ["../outside.txt", "/tmp/outside.txt", "a/../../outside.txt"])
def test_a_part_that_reaches_out_of_the_file_is_refused(name, parts, tmp_path):
    path = written({**parts, name: b"x", "b": b"y"}, tmp_path)
    before = sorted(tmp_path.parent.rglob("outside.txt"))
    with pytest.raises(ValueError, match=r"changed\.keras.*outside.txt' lies outside"):
        read_keras(path)
    assert sorted(tmp_path.parent.rglob("outside.txt")) == before


@pytest.mark.parametrize("kind", ["link", "external", "virtual"])
def test_weights_that_point_into_another_file_are_refused(kind, parts, tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["key"] = np.ones((3, 2), "float32")

    def change(variables):
        del variables["0"]
        if kind == "link":
            variables["0"] = h5py.ExternalLink(secret, "/key")
        elif kind == "external":
            place = [(str(secret), 0, 24)]
            variables.create_dataset("0", shape=(3, 2), dtype="float32", external=place)
        else:
            layout = h5py.VirtualLayout((3, 2), "float32")
            layout[:] = h5py.VirtualSource(secret, "key", (3, 2))
            variables.create_virtual_dataset("0", layout)

    with pytest.raises(ValueError, match=r"changed\.keras cannot be read.*Not allowed"):
        read_keras(written(with_weights(parts, change), tmp_path))


def test_an_archive_that_unfolds_without_end_is_refused(parts, tmp_path):
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        archive.writestr("zeros", bytes(2**22))
    with pytest.raises(ValueError, match=r"bomb\.keras.*'zeros' has \d+ bytes and unfolds to"):
        read_keras(path)


def test_a_flipped_bit_is_found(parts, tmp_path):
    path = written(parts, tmp_path)
    content = bytearray(path.read_bytes())
    content[content.index(parts["model.weights.h5"]) + len(parts["model.weights.h5"]) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"changed\.keras.*'model.weights.h5' is damaged"):
        read_keras(path)
    with pytest.raises(FileNotFoundError, match=r"missing\.keras"):
        read_keras(tmp_path / "missing.keras")


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    """For every target of the benchmark a function that reads the input of a seed."""

    def make(name):
        folder, source = tmp_path_factory.mktemp(name), fuzz.Fuzz(0)
        one = fuzz.TARGETS[name](folder, source)

        def read(seed):
            source.random.seed(seed)
            reason = str(folder)
            try:
                one()
            except (ValueError, OSError) as error:
                reason = str(error)
            assert str(folder) in reason

        return read

    return {name: make(name) for name in ("pth", "keras", "preset", "checkpoints")}


# Keras warns of an optimizer's state that does not fit, and goes on without it.
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("pth", marks=pytest.mark.any_backend),
        "keras",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("preset", "checkpoints")),
    ],
)
@settings(max_examples=8)
@given(seed=st.integers(0, 2**32))
def test_damaged_input_meets_documented_errors(targets, name, seed):
    targets[name](seed)


@pytest.mark.long
@pytest.mark.any_backend
def test_a_folder_of_damaged_images_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "BATCH", 14)
    fuzz.images(tmp_path, fuzz.Fuzz(0))()
