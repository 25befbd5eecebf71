"""The notebooks' sources run as scripts, at a small size, and are notebooks."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

pytestmark = [pytest.mark.long, pytest.mark.only_on("torch")]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "notebooks"
TUTOBOOK = "segment_the_earth.py"
SAID = {
    "first_run.py": r"kNN accuracy: untrained 0\.\d{3}, pretrained 0\.\d{3}",
    "few_labels.py": r"colors alone +0\.\d{3}\nuntrained +0\.\d{3}\npretrained +0\.\d{3}\n"
    r"from scratch +0\.\d{3}\npretrained +0\.\d{3}\n",
    "segment_the_earth.py": r"mean IoU: pretrained 0\.\d{3}, from scratch 0\.\d{3}",
    "serve_and_ask.py": r"\{'china': \d\.\d+, 'flower': \d\.\d+\}",
}


@pytest.mark.turned(2)
@pytest.mark.parametrize("name", SAID)
def test_it_runs_from_top_to_bottom(name, tmp_path):
    for folder in ("examples", "benchmarks"):
        ignored = shutil.ignore_patterns("*.jpg", "results", ".cache", "runs")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    environment = {**os.environ, "KERAS_SIMMIM_SMALL": "1", "MPLBACKEND": "agg"}
    environment["PYTHONPATH"] = str(ROOT)
    result = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", name],
        cwd=tmp_path / "examples" / "notebooks",
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert re.search(SAID[name], result.stdout), result.stdout[-2000:]


def test_all_are_tried():
    assert {path.name for path in FOLDER.glob("*.py")} == set(SAID)


@pytest.mark.parametrize("name", sorted(set(SAID) - {TUTOBOOK}))
def test_it_is_a_notebook(name):
    cells = jupytext.read(FOLDER / name).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    kinds = [cell.cell_type for cell in cells]
    assert kinds.count("markdown") >= 4
    assert kinds.count("code") >= 5


def test_one_is_a_tutobook_of_keras_io():
    """A head of keras.io's fields, and then texts, of which each begins a section or goes on."""
    body = ast.parse((FOLDER / TUTOBOOK).read_text(encoding="utf-8")).body
    texts = [
        each.value.value
        for each in body
        if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
    ]
    fields = [line.partition(":")[0] for line in texts[0].strip().splitlines()]
    assert fields == [
        *("Title", "Author", "Date created", "Last modified", "Description", "Accelerator")
    ]
    assert texts[1].startswith("\n## Introduction\n")
    assert all(text.startswith("\n## ") for text in texts[1:])
    assert texts[-1].startswith("\n## Conclusion\n")
