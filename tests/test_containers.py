"""The Dockerfile passes its linter, and names nothing that is not there."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = [pytest.mark.long, pytest.mark.any_backend]

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_linter_has_nothing_to_say():
    linter = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "")


def test_what_is_copied_is_there_and_not_ignored():
    copied = {
        source
        for line in re.findall(r"^COPY (.+) \S+$", TEXT, re.M)
        for source in line.split()
        if "$" not in source
    }
    assert copied == {
        *("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "keras_simmim", "examples")
    }
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert rules[0] == "*"
    for source in copied:
        assert (ROOT / source).exists()
        assert f"!{source}" in rules
    # Where the page puts what is served.
    assert "!models" in rules


def test_extras_and_targets_are_those_of_the_project_and_of_the_page():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {extra for part in re.findall(r'"\.\[(.+?)\]"', TEXT) for extra in part.split(",")}
    assert asked == {"evaluation", "examples", "jax", "torch", "cuda"}
    assert asked <= set(project["optional-dependencies"])
    page = (ROOT / "docs" / "containers.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^FROM \S+ AS (\w+)$", TEXT, re.M)) - {"base"}
    assert targets == set(re.findall(r"--target (\w+)", page)) == {"cpu", "cuda", "serving"}
    arguments = set(re.findall(r"^ARG (\w+)", TEXT, re.M))
    assert arguments == {"PYTHON", "SERVING", "BACKEND", "PIP_EXTRA_INDEX_URL", "MODEL", "NAME"}
    assert all(name in page for name in arguments)
