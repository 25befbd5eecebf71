"""Models that come from a stand-in for the hub."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
import torch
import transformers
from hub_stand_in import environment, hub_stand_in

import keras_simmim as ks

pytestmark = pytest.mark.long

ARRAYS = {"a": np.arange(6, dtype="float32").reshape(2, 3), "b": np.ones(4, "float32")}
CONFIG = {"model_type": "vit", "hidden_size": 3}


def directory(path):
    (path / "config.json").write_text(json.dumps(CONFIG))
    safetensors.numpy.save_file(ARRAYS, path / "model.safetensors")
    return path


def small_vit(folder):
    """A model of Hugging Face's, saved."""
    arguments = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8}
    sizes = {"image_size": 8, "patch_size": 4, "encoder_stride": 4, "num_hidden_layers": 1}
    config = transformers.ViTConfig(**arguments, **sizes)
    transformers.ViTForMaskedImageModeling(config).save_pretrained(folder)
    return folder


@pytest.fixture
def hub(tmp_path, request):
    """The address of a server that speaks as much of the hub's language as a download needs."""
    folder = tmp_path / "repository"
    folder.mkdir()
    files = {file.name: file.read_bytes() for file in directory(folder).iterdir()}
    for name in (
        "README.md",
        "pytorch_model.bin",
        "old/config.json",
        "model-old/model.safetensors",
    ):
        files[name] = b"not wanted"
    if getattr(request, "param", None) == "torch":
        tensors = {name: torch.from_numpy(array) for name, array in ARRAYS.items()}
        torch.save(tensors, folder / "pytorch_model.bin")
        files["pytorch_model.bin"] = (folder / "pytorch_model.bin").read_bytes()
        del files["model.safetensors"]
    if getattr(request, "param", None) == "vit":
        files = {file.name: file.read_bytes() for file in small_vit(tmp_path / "vit").iterdir()}
    with hub_stand_in(files) as address:
        yield address


FETCH = """
import json, sys
from keras_simmim.pretrained.hugging_face_files import download, read_directory
folder = download(sys.argv[1])
arrays, config = read_directory(folder)
names = sorted(file.name for file in folder.iterdir())
print(json.dumps([names, config, arrays["a"].tolist()]))
"""


EMBED = """
import json, sys
import numpy as np
import keras_simmim as ks
model = ks.SimMIM.from_preset(sys.argv[1])
print(json.dumps(model.embed(np.arange(192, dtype="uint8").reshape(1, 8, 8, 3)).tolist()))
"""


def fetch(address, endpoint, cache, script=FETCH):
    """Download in a process of its own: the hub's address is read when its client is imported."""
    command = [sys.executable, "-c", script, address]
    return subprocess.run(
        command, env=environment(endpoint, cache, os.environ), capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("hub", "weights"),
    [("safetensors", "model.safetensors"), ("torch", "pytorch_model.bin")],
    indirect=["hub"],
)
def test_a_model_comes_from_the_hub(hub, weights, tmp_path):
    result = fetch("hf://owner/name", hub, tmp_path / "cache")
    assert result.returncode == 0, result.stderr[-2000:]
    names, config, a = json.loads(result.stdout.splitlines()[-1])
    assert names == ["config.json", weights]
    assert config == CONFIG
    assert a == ARRAYS["a"].tolist()


@pytest.mark.parametrize("hub", ["vit"], indirect=True)
def test_from_preset_takes_the_address(hub, tmp_path):
    result = fetch("hf://owner/name", hub, tmp_path / "cache", EMBED)
    assert result.returncode == 0, result.stderr[-2000:]
    local = ks.SimMIM.from_preset(str(tmp_path / "vit"))
    images = np.arange(192, dtype="uint8").reshape(1, 8, 8, 3)
    embedding = json.loads(result.stdout.splitlines()[-1])
    np.testing.assert_allclose(embedding, local.embed(images), rtol=1e-5, atol=1e-6)


def test_a_model_that_does_not_exist_is_named(hub, tmp_path):
    result = fetch("hf://owner/other", hub, tmp_path / "cache")
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ConnectionError: hf://owner/other could not be brought"), last


def test_without_a_network_the_error_says_so(tmp_path):
    # Port 9 of this machine: nothing listens there.
    result = fetch("hf://owner/name", "http://127.0.0.1:9", tmp_path / "cache")
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ConnectionError: hf://owner/name could not be brought"), last
    assert "is there a network" in last
