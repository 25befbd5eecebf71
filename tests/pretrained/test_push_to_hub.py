"""Models that go to a stand-in for the hub, and come back; and what a model card says."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from hub_stand_in import TOKEN, environment, hub_stand_in

import keras_simmim as ks
from keras_simmim.pretrained.hub_card import hub_card

SHAPE = (8, 12, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (4, *SHAPE), dtype="uint8")


def simmim():
    backbone = ks.backbones.ViT(SHAPE, 4, num_layers=1, num_heads=2, hidden_dim=8)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, block_size=1))
    model.compile(keras.optimizers.AdamW(2.5e-7, weight_decay=0.05))
    return model


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run."""
    folder = tmp_path_factory.mktemp("run")
    settings = {"data": "/home/someone/photos", "epochs": 3, "output": "runs/first", "seed": 0}
    ks.training.record_run(folder / "run.json", settings)
    results = {"knn_after": 0.889, "images": 2104, "dataset": "/home/someone/photos"}
    (folder / "summary.json").write_text(json.dumps(results))
    return folder


@pytest.mark.any_backend
def test_a_card_says_what_the_model_is_and_came_from(run):
    said = {"license": "CC BY 4.0", "data": "my | photographs"}
    text = hub_card(simmim(), "owner/name", run, said)
    for line in (
        "license: other",
        "# name",
        'model = ks.models.SimMIM.from_preset("hf://owner/name")',
        "embeddings = model.embed(images)  # images: (N, 8, 12, 3)",
        r"| data | my \| photographs |",
        "| license | CC BY 4.0 |",
        "| knn_after | 0.889 |",
        "| images | 2,104 |",
        "| epochs | 3 |",
        f"| keras | {keras.__version__} |",
    ):
        assert line in text.splitlines(), line
    assert "SpatialMasking(ratio=0.5" in text
    assert "learning_rate=2.5e-7" in text
    assert "someone" not in text
    assert "runs/first" not in text


@pytest.mark.any_backend
def test_what_nobody_said_is_not_made_up():
    backbone = ks.backbones.ConvNet(SHAPE, (4,))
    text = hub_card(ks.ImageClassifier(backbone, 2, class_names=["no", "yes"]), "a/b", None, {})
    lines = text.splitlines()
    assert lines[0] == "---"
    assert "license:" not in text
    assert "| license | not stated |" in lines
    assert "| data | not stated |" in lines
    assert "| classes | no, yes |" in lines
    assert "predictions = model.predict(images)  # images: (N, 8, 12, 3)" in lines
    assert "## Results" not in lines
    assert "license: apache-2.0" in hub_card(
        ks.ImageClassifier(backbone, 2), "a/b", None, {"license": "apache-2.0"}
    )


@pytest.mark.any_backend
@pytest.mark.parametrize("name", ["name", "owner/name/more", "owner/..", "https://hub/owner/name"])
def test_a_name_of_another_form_is_refused(name):
    with pytest.raises(ValueError, match="name must be owner/name, got"):
        simmim().push_to_hub(name)


@pytest.mark.any_backend
def test_what_is_missing_is_named(monkeypatch, tmp_path):
    model = simmim()
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(PermissionError, match=r"set HF_TOKEN, or run `hf auth login`"):
        model.push_to_hub("owner/name")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: TOKEN)
    with pytest.raises(FileNotFoundError, match=r"run must be the folder of a run.*absent"):
        model.push_to_hub("owner/name", run=tmp_path / "absent")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r'pip install "keras-simmim\[hub\]"'):
        model.push_to_hub("owner/name")


@pytest.mark.any_backend
def test_a_model_of_another_class_is_named(tmp_path):
    simmim().save_to_preset(tmp_path / "preset")
    with pytest.raises(ValueError, match=r"no ImageClassifier, but a SimMIM: read it by SimMIM"):
        ks.ImageClassifier.from_preset(tmp_path / "preset")
    with pytest.raises(ValueError, match=r"must be a \.keras file or hold simmim\.json"):
        ks.ImageClassifier.from_preset(tmp_path)


PUSH = """
import sys
import keras_simmim as ks
model = getattr(ks, sys.argv[1]).from_preset(sys.argv[2])
print(model.push_to_hub(sys.argv[3], run=sys.argv[4], card={"license": "apache-2.0"}))
"""
READ = """
import json, sys
import numpy as np
import keras_simmim as ks
model = getattr(ks, sys.argv[1]).from_preset(sys.argv[2])
print(json.dumps(model.embed(np.load(sys.argv[3])).tolist()))
"""


def python(script, *arguments, variables):
    """Run a script in a process of its own: the hub's client reads its address as it starts."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, env=variables, capture_output=True, text=True)


@pytest.mark.turned(2)
@pytest.mark.long
@pytest.mark.parametrize("name", ["SimMIM", "ImageClassifier"])
def test_a_model_goes_to_the_hub_and_comes_back(name, run, tmp_path):
    model = simmim()
    if name == "ImageClassifier":
        model = ks.ImageClassifier.from_pretrained(model, num_classes=3)
    model.save_to_preset(tmp_path / "preset")
    np.save(tmp_path / "images.npy", IMAGES)
    files: dict = {}
    with hub_stand_in(files) as address:
        variables = environment(address, tmp_path / "cache", os.environ, HF_TOKEN=TOKEN)
        pushed = python(
            PUSH, name, tmp_path / "preset", "hf://owner/name", run, variables=variables
        )
        assert pushed.returncode == 0, pushed.stderr[-2000:]
        assert pushed.stdout.splitlines()[-1] == f"{address}/owner/name"
        assert set(files) == {"README.md", "model.weights.h5", "simmim.json"}
        assert b"license: apache-2.0" in files["README.md"]
        found = python(READ, name, "hf://owner/name", tmp_path / "images.npy", variables=variables)
        assert found.returncode == 0, found.stderr[-2000:]
    embeddings = json.loads(found.stdout.splitlines()[-1])
    np.testing.assert_allclose(embeddings, model.embed(IMAGES), rtol=1e-5, atol=1e-6)


@pytest.mark.long
@pytest.mark.parametrize(("name", "token"), [("owner/other", TOKEN), ("owner/name", "another")])
def test_what_the_hub_does_not_take_is_told(name, token, run, tmp_path):
    simmim().save_to_preset(tmp_path / "preset")
    with hub_stand_in({}) as address:
        variables = environment(address, tmp_path / "cache", os.environ, HF_TOKEN=token)
        pushed = python(PUSH, "SimMIM", tmp_path / "preset", name, run, variables=variables)
    assert pushed.returncode != 0
    last = pushed.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ConnectionError: {name} could not be brought to the hub"), last
