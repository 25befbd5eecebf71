"""torch's files, read without torch and without running what is pickled in them."""

import os
import subprocess
import sys
import types
import zipfile

import numpy as np
import pytest
import torch

from keras_simmim.pretrained.pth import read_pth

pytestmark = pytest.mark.any_backend


@pytest.mark.parametrize(
    "dtype",
    ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int8", "uint8", "bool"],
)
def test_every_type(dtype, tmp_path):
    tensor = torch.arange(-3, 9).reshape(3, 4).to(getattr(torch, dtype))
    torch.save({"model": {"a": tensor}}, tmp_path / "a.pth")
    array = read_pth(tmp_path / "a.pth")[0]["a"]
    expected = tensor.float() if dtype == "bfloat16" else tensor
    assert array.dtype == expected.numpy().dtype
    np.testing.assert_array_equal(array, expected.numpy())


def test_views_of_one_storage(tmp_path):
    whole = torch.randn(6, 5)
    views = {
        "whole": whole,
        "transposed": whole.T,
        "part": whole[2:4, 1::2],
        "empty": whole[:0],
        "scalar": whole[3, 3],
        "parameter": torch.nn.Parameter(whole[1]),
    }
    torch.save(views, tmp_path / "views.pth")
    arrays, metadata = read_pth(tmp_path / "views.pth")
    assert set(arrays) == set(views)
    assert not metadata
    for name, view in views.items():
        np.testing.assert_array_equal(arrays[name], view.detach().numpy())
    arrays["whole"][:] = 0
    assert np.abs(arrays["part"]).min() > 0, "an array of its own"


@pytest.fixture
def configuration(monkeypatch):
    """The class of the configuration that official checkpoints hold."""

    class CfgNode(dict):
        pass

    module = types.ModuleType("yacs.config")
    module.CfgNode = CfgNode
    CfgNode.__module__, CfgNode.__qualname__ = "yacs.config", "CfgNode"
    monkeypatch.setitem(sys.modules, "yacs", types.ModuleType("yacs"))
    monkeypatch.setitem(sys.modules, "yacs.config", module)
    return CfgNode


def test_an_official_checkpoint_with_optimizer_and_configuration(configuration, tmp_path):
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    content = {
        "model": layer.state_dict(),
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": {"base_values": [1e-4]},
        "epoch": 7,
        "config": configuration(DATA=configuration(IMG_SIZE=192), TAG="x"),
    }
    torch.save(content, tmp_path / "official.pth")
    sys.modules.pop("yacs.config")
    arrays, metadata = read_pth(tmp_path / "official.pth")
    np.testing.assert_array_equal(arrays["weight"], layer.weight.detach().numpy())
    assert metadata["config"] == {"DATA": {"IMG_SIZE": 192}, "TAG": "x"}
    assert type(metadata["config"]) is dict
    assert metadata["epoch"] == 7
    assert "optimizer" not in metadata
    # torch's own safe reader refuses it, which is why this one exists.
    with pytest.raises(Exception, match="Weights only load failed"):
        torch.load(tmp_path / "official.pth", weights_only=True)


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("place", ["beside", "within"])
def test_a_malicious_pickle_is_refused_and_not_run(place, tmp_path):
    victim = tmp_path / "victim"
    attack = Malicious(str(victim))
    content = {"model": {"a": torch.ones(2)}, "extra": attack}
    if place == "within":
        content = {"model": {"a": torch.ones(2), "b": attack}}
    torch.save(content, tmp_path / "malicious.pth")
    with pytest.raises(ValueError, match=r"malicious\.pth.*mkdir.*nothing was executed"):
        read_pth(tmp_path / "malicious.pth")
    assert not victim.exists()


def entries(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, content, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, value in content.items():
            archive.writestr(name, value)


def data(content):
    """The name of the only storage."""
    return next(name for name in content if name.endswith("data/0"))


def drop(suffix):
    def change(path):
        content = entries(path)
        content = {name: value for name, value in content.items() if not name.endswith(suffix)}
        write(path, content)

    return change


def shorten(path):
    content = entries(path)
    content[data(content)] = content[data(content)][:-4]
    write(path, content)


def compress(path):
    write(path, entries(path), zipfile.ZIP_DEFLATED)


def old_format(path):
    torch.save({"a": torch.ones(3)}, path, _use_new_zipfile_serialization=False)


def no_tensors(path):
    torch.save({"epoch": 3}, path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "damaged zip archive"),
        (lambda path: path.write_bytes(b"not a checkpoint"), "no zip archive.*torch.save"),
        (lambda path: path.write_bytes(b""), "no zip archive"),
        (old_format, "no zip archive.*torch 1.6"),
        (drop("data.pkl"), "holds no 'data.pkl'"),
        (drop("data/0"), "is incomplete: it holds no .*data/0"),
        (shorten, "holds 44 bytes in .*data/0' instead of 48"),
        (compress, "compressed, as torch never writes it"),
        (no_tensors, "holds no tensors .*'epoch'"),
    ],
)
def test_a_damaged_file_is_refused(damage, message, tmp_path):
    path = tmp_path / "damaged.pth"
    torch.save({"model": {"a": torch.arange(12.0)}}, path)
    damage(path)
    with pytest.raises(ValueError, match=message) as error:
        read_pth(path)
    assert "damaged.pth" in str(error.value)


def small(path):
    tensor = torch.arange(12, dtype=torch.bfloat16).reshape(3, 4)
    torch.save({"model": {"a": torch.arange(12.0), "b": tensor}, "epoch": 1}, path)
    return path.read_bytes()


def refusal(path):
    """Why a file is refused. None if it is read: damage may be where nobody looks."""
    try:
        read_pth(path)
    except ValueError as error:
        return str(error)


def test_no_damage_leads_to_another_error(tmp_path):
    whole = small(tmp_path / "whole.pth")
    path = tmp_path / "damaged.pth"
    generator = np.random.default_rng(0)
    for _ in range(1000):
        content = bytearray(whole[: generator.integers(1, 2 * len(whole))])
        for place in generator.integers(len(content), size=2):
            content[place] = generator.integers(256)
        path.write_bytes(content)
        reason = refusal(path)
        assert reason is None or "damaged.pth" in reason


def test_storages_of_an_optimizer_are_not_read(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"model": {"a": torch.ones(3)}, "optimizer": {"m": torch.ones(9)}}, path)
    drop("data/1")(path)
    arrays, metadata = read_pth(path)
    assert set(arrays) == {"a"}
    assert metadata == {}


@pytest.mark.parametrize("order", ["little", "big"])
def test_both_orders_of_bytes(order, tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"a": torch.arange(12.0)}, path)
    content = entries(path)
    content[data(content)] = np.arange(12, dtype="<f4" if order == "little" else ">f4").tobytes()
    name = next(name for name in content if name.endswith("byteorder"))
    write(path, content | {name: order.encode()})
    np.testing.assert_array_equal(read_pth(path)[0]["a"], np.arange(12))


# The same text in a pickle of protocol 2, and what an attacker writes in its place.
COUNT = b"K\x0ct"
ATTACKS = {
    "beyond the 12 elements": (b"K\x00K\x0c\x85", b"K\x01K\x0c\x85"),
    "sizes that are no counts": (b"K\x00K\x0c\x85", b"J\xff\xff\xff\xffK\x0c\x85"),
    "kind, name or length": (COUNT, b"J\xff\xff\xff\xfft"),
    "wants tensors of": (b"K\x0c\x85q\x08K\x01\x85", b"J\xff\xff\xff\x7f\x85q\x08K\x00\x85"),
}


@pytest.mark.parametrize("message", ATTACKS)
def test_a_tensor_outside_its_storage_is_refused(message, tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"a": torch.arange(12.0)}, path)
    content = entries(path)
    name = next(name for name in content if name.endswith("data.pkl"))
    before, after = ATTACKS[message]
    assert content[name].count(before) == 1
    write(path, content | {name: content[name].replace(before, after)})
    with pytest.raises(ValueError, match=message):
        read_pth(path)


def test_what_an_error_shows_is_short(tmp_path):
    # A tuple of 2 to the power of 64 texts, each pair of which is one pair twice.
    bomb = b"X\x01\x00\x00\x00x" + b"2\x86" * 64
    path = tmp_path / "a.pth"
    torch.save({"a": torch.arange(12.0)}, path)
    content = entries(path)
    name = next(name for name in content if name.endswith("data.pkl"))
    write(path, content | {name: content[name].replace(COUNT, bomb + b"t")})
    with pytest.raises(ValueError, match="kind, name or length"):
        read_pth(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing at .*missing"):
        read_pth(tmp_path / "missing.pth")


WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoTorch())
from keras_simmim.pretrained.pth import read_pth
assert "torch" not in sys.modules
print(read_pth(sys.argv[1])[0]["a"].tolist())
"""


@pytest.mark.long
def test_it_reads_where_torch_is_not_installed(tmp_path):
    torch.save({"model": {"a": torch.arange(3.0)}}, tmp_path / "a.pth")
    command = [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "a.pth")]
    # Keras itself needs torch where it is the backend.
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.stdout.strip() == "[0.0, 1.0, 2.0]", result.stderr
