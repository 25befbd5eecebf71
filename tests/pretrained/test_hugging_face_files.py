"""Directories in Hugging Face's format, and addresses of the hub."""

import json
import sys

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch

from keras_simmim.pretrained.hugging_face_files import download, read_directory

pytestmark = pytest.mark.any_backend

ARRAYS = {"a": np.arange(6, dtype="float32").reshape(2, 3), "b": np.ones(4, "float32")}
CONFIG = {"model_type": "vit", "hidden_size": 3}


def directory(path, arrays=ARRAYS):
    (path / "config.json").write_text(json.dumps(CONFIG))
    safetensors.numpy.save_file(arrays, path / "model.safetensors")
    return path


def check(arrays, config):
    assert config == CONFIG
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_one_file(tmp_path):
    check(*read_directory(directory(tmp_path)))


def test_shards(tmp_path):
    directory(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    names = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    for key, name in names.items():
        safetensors.numpy.save_file({key: ARRAYS[key]}, tmp_path / name)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": names}))
    check(*read_directory(tmp_path))
    (tmp_path / "model-2.safetensors").unlink()
    with pytest.raises(ValueError, match=r"model-2\.safetensors is missing"):
        read_directory(tmp_path)
    index.write_text(json.dumps({"weight_map": {"a": "../model-1.safetensors"}}))
    with pytest.raises(ValueError, match="not beside it"):
        read_directory(tmp_path)


def test_a_file_of_torch(tmp_path):
    directory(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    tensors = {name: torch.from_numpy(array) for name, array in ARRAYS.items()}
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    check(*read_directory(tmp_path))


def test_half_precision_becomes_single(tmp_path):
    arrays = {name: array.astype("float16") for name, array in ARRAYS.items()}
    read, _ = read_directory(directory(tmp_path, arrays))
    assert read["a"].dtype == np.float32
    check(read, CONFIG)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: (path / "config.json").unlink(), r"config\.json is missing"),
        (lambda path: (path / "config.json").write_text("{"), r"config\.json is damaged"),
        (lambda path: (path / "config.json").write_text("[]"), "holds no JSON object"),
        (lambda path: (path / "model.safetensors").unlink(), "has no model.safetensors"),
        (
            lambda path: (path / "model.safetensors").write_bytes(b"damaged"),
            r"model\.safetensors is damaged",
        ),
    ],
)
def test_a_damaged_directory_is_refused(damage, message, tmp_path):
    directory(tmp_path)
    damage(tmp_path)
    with pytest.raises(ValueError, match=message):
        read_directory(tmp_path)


@pytest.mark.parametrize("weight_map", [None, ["a"], {"a": 1}])
def test_an_index_without_files_is_refused(weight_map, tmp_path):
    directory(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(ValueError, match=r"index\.json is damaged: its 'weight_map'"):
        read_directory(tmp_path)


def test_a_tensor_that_no_shard_holds_is_named(tmp_path):
    directory(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "model-1.safetensors")
    places = dict.fromkeys([*ARRAYS, "lost"], "model-1.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    with pytest.raises(ValueError, match=r"do not hold: \['lost'\]"):
        read_directory(tmp_path)


@pytest.mark.parametrize(("dtype", "readable"), [("bfloat16", True), ("float8_e4m3fn", False)])
def test_types_that_numpy_lacks(dtype, readable, tmp_path):
    directory(tmp_path)
    tensor = torch.tensor([1.0, -2.5, 0.0]).to(getattr(torch, dtype))
    safetensors.torch.save_file({"a": tensor}, tmp_path / "model.safetensors")
    if readable:
        np.testing.assert_array_equal(read_directory(tmp_path)[0]["a"], [1, -2.5, 0])
    else:
        with pytest.raises(ValueError, match=r"model\.safetensors is damaged, or of a type"):
            read_directory(tmp_path)


@pytest.mark.parametrize(
    "address",
    ["hf://name", "hf://a/b/c", "hf:///b", "hf://a/b@", "a/b", "hf://a/..", "hf://a/b@../x"],
)
def test_another_form_of_address_is_refused(address):
    with pytest.raises(ValueError, match="address must be hf://owner/name"):
        download(address)


def test_a_name_that_the_hub_does_not_allow_is_refused():
    with pytest.raises(ValueError, match="hf://a/b--c is no address of a model"):
        download("hf://a/b--c")


def test_a_missing_client_of_the_hub_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    message = r"huggingface_hub: pip install .keras-simmim\[hub\]"
    with pytest.raises(ImportError, match=message):
        download("hf://owner/name")


def test_a_missing_reader_is_named(monkeypatch, tmp_path):
    directory(tmp_path)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"safetensors: pip install .keras-simmim\[hub\]"):
        read_directory(tmp_path)
