"""What is released: a wheel and a source distribution that hold all, install and run."""

import email
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from packaging.requirements import Requirement

import keras_simmim as ks

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[1]
TRAIN = ROOT / "tests" / "support" / "train_from_arrays.py"
# All that training from arrays needs, beside the backend.
NEEDED = ("keras", "numpy", "scipy", "pillow", "h5py")


def run(*command, **options):
    """Run a command that must succeed, without this checkout on its path; its output and errors."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= options.pop("environment", {})
    result = subprocess.run(command, env=environment, capture_output=True, text=True, **options)
    assert result.returncode == 0, (result.stdout + result.stderr)[-3000:]
    return result.stdout, result.stderr


def files_of(folder):
    """All files below a folder that belong to the project, as texts relative to the root."""
    found = (path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.*"))
    return {path for path in found if "__pycache__" not in path and (ROOT / path).is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the source distribution."""
    source, output = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "runs", "build", "dist")
    shutil.copytree(ROOT, source, ignore=ignored, dirs_exist_ok=True)
    # Under a backend that does not exist, to import the library for its version would fail.
    said = run(
        *(sys.executable, "-m", "build", "--no-isolation", "--outdir", output, source),
        environment={"KERAS_BACKEND": "none"},
    )
    assert "DeprecationWarning" not in "".join(said)
    return next(output.glob("*.whl")), next(output.glob("*.tar.gz"))


@pytest.fixture
def environment(built, tmp_path):
    """A new environment with the wheel and nothing else: its Python and its site-packages."""
    folder = tmp_path / "environment"
    venv.create(folder)
    python = folder / "bin" / "python"
    install = ("install", "--quiet", "--no-deps", "--no-index", "--no-compile", built[0])
    run(sys.executable, "-m", "pip", "--python", python, *install)
    return python, next(folder.glob("lib/*/site-packages"))


@pytest.mark.only_on("tensorflow")
def test_they_hold_what_they_must(built):
    wheel, source = built
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, source)
    information = f"keras_simmim-{ks.__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.startswith(information)}
        license_text = archive.read(f"{information}/licenses/LICENSE")
        metadata = email.message_from_bytes(archive.read(f"{information}/METADATA"))
    assert names == files_of("keras_simmim")
    assert {"keras_simmim/py.typed", "keras_simmim/training/report/report.css"} <= names
    assert license_text == (ROOT / "LICENSE").read_bytes()
    assert metadata["Version"] == ks.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    with tarfile.open(source) as archive:
        names = {member.partition("/")[2] for member in archive.getnames()}
    tests = {path for path in files_of("tests") if "/." not in path}
    assert {"LICENSE", "CHANGELOG.md", "constraints.txt", "Makefile"} | tests <= names


def test_quickstart_runs_from_the_wheel(environment, tmp_path):
    python, site_packages = environment
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    for index, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (16, 40, 48, 3))):
        path = tmp_path / "photos" / ("cats", "dogs")[index % 2] / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(path, pixels, scale=False)
    quickstart = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    output, _ = run(python, "-c", f"{quickstart}\nprint()\nprint(ks.__file__)", cwd=tmp_path)
    assert Path(output.splitlines()[-1]).parents[1] == site_packages


def link_with_dependencies(names, site_packages):
    """Link distributions that are installed here, and what they need, into another place."""
    wanted, linked = list(names), set()
    while wanted:
        distribution = importlib.metadata.distribution(wanted.pop())
        if distribution.name in linked:
            continue
        linked.add(distribution.name)
        for entry in {file.parts[0] for file in distribution.files} - {"..", "__pycache__"}:
            if not (site_packages / entry).exists():
                (site_packages / entry).symlink_to(distribution.locate_file(entry))
        requirements = map(Requirement, distribution.requires or ())
        wanted += [
            each.name
            for each in requirements
            if each.marker is None or each.marker.evaluate({"extra": ""})
        ]


if keras.backend.backend() != "tensorflow":

    def test_training_in_an_environment_without_tensorflow(environment, tmp_path):
        python, site_packages = environment
        link_with_dependencies([*NEEDED, keras.backend.backend()], site_packages)
        output, _ = run(python, TRAIN, cwd=tmp_path)
        assert output.splitlines()[-1] == "trained without tensorflow, tensorboard"
