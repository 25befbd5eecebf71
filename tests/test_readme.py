"""The code of the README and of every page of docs/ runs as it stands there.

Each page has one test, which runs its ```python blocks in order, in an empty folder; the blocks of
a page share their names. A line whose comment is a Python value, such as
`embeddings.shape  # (64, 32)`, must give that value; all other comments are prose.

A block that cannot run here, because it needs the network or files that are not at hand, has the
comment `<!-- not run: why -->` on the line above it. Commands are ```sh blocks, which never run.
"""

import ast
import contextlib
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_simmim as ks

ROOT = Path(__file__).parent.parent
FILES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in FILES}
PAGES["keras_simmim/__init__.py"] = ks.__doc__
BLOCK = re.compile(
    r"(?P<not_run><!-- not run: [^\n]+ -->\n)?^```python\n(?P<code>.*?)^```", re.M | re.S
)
# What a reader of these pages has already: a folder of images, with a sub-folder for each class.
READERS_FOLDER = {"README.md": "photos"}
FAST, LONG = pytest.mark.fast_on("torch"), [pytest.mark.long, pytest.mark.turned(2)]
WITHOUT_CODE = {
    "CONTRIBUTING.md",
    "docs/command-line.md",
    "docs/containers.md",
    "docs/design.md",
    "docs/does-it-pay.md",
    "docs/how-fast.md",
    "docs/install.md",
    "docs/scaling.md",
    "docs/which-recipe.md",
}


def blocks_of(text):
    """The blocks to run, each with empty lines before it, so that errors name the page's lines."""
    return [
        "\n" * text.count("\n", 0, found.start("code")) + found["code"]
        for found in BLOCK.finditer(text)
        if not found["not_run"]
    ]


def run(code, page, names):
    """Run a block and compare what its lines give with what their comments say."""
    lines = code.splitlines()
    for statement in ast.parse(code).body:
        if not isinstance(statement, ast.Expr):
            exec(compile(ast.Module([statement], []), page, "exec"), names)
            continue
        value = eval(compile(ast.Expression(statement.value), page, "eval"), names)
        _, _, comment = lines[statement.end_lineno - 1].partition("  # ")
        with contextlib.suppress(SyntaxError, ValueError):
            said = ast.literal_eval(comment)
            assert value == said, f"{page}, line {statement.lineno}: got {value!r}"


def write_photos(folder):
    """Write eight small images for each of two classes."""
    generator = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (folder / name).mkdir(parents=True)
        for number in range(8):
            pixels = generator.integers(0, 256, (60, 80, 3), dtype="uint8")
            Image.fromarray(pixels).save(folder / name / f"{number}.jpg")


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=LONG if page.startswith("docs/") else FAST) for page in PAGES],
)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch, tensorflow_process):
    monkeypatch.chdir(tmp_path)
    if page in READERS_FOLDER:
        write_photos(tmp_path / READERS_FOLDER[page])
    blocks = blocks_of(PAGES[page])
    assert bool(blocks) == (page not in WITHOUT_CODE)
    names: dict = {}
    for block in blocks:
        run(block, page, names)
