"""The documentation site is built strictly, holds all that is public, and finds broken links."""

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import keras_simmim as ks

pytestmark = [pytest.mark.long, pytest.mark.any_backend]

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"


def build(root, output):
    """Build the site of a checkout; what mkdocs said, and whether all was well."""
    command = (sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", output)
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    output = tmp_path_factory.mktemp("site")
    result = build(ROOT, output)
    assert result.returncode == 0, result.stderr[-3000:]
    return output


@pytest.mark.parametrize("page", sorted(REFERENCE.glob("*.md")), ids=lambda path: path.stem)
def test_the_reference_holds_what_is_public(page, site):
    text = page.read_text(encoding="utf-8")
    entries = re.findall(r"^::: (\S+)$", text, re.M)
    if page.stem == "index":
        rooms = {path.name for path in REFERENCE.glob("*.md")} - {"index.md"}
        assert set(re.findall(r"\((\w+\.md)\)", text)) == rooms
        assert entries == []
        return
    (room,) = entries
    package = importlib.import_module(room)
    names = getattr(package, "__all__", ["simmim_vit_base", "article_cnn"])
    html = (site / "reference" / page.stem / "index.html").read_text(encoding="utf-8")
    headings = re.findall(r'<h2 id="keras_simmim[\w.]*?\.(\w+)"', html)
    # `training` has a room of its own within it.
    assert set(names) - {"callbacks"} <= set(headings)


def test_every_room_has_its_page():
    documented = {
        match
        for page in REFERENCE.glob("*.md")
        for match in re.findall(r"^::: keras_simmim\.(\w+)", page.read_text(), re.M)
    }
    rooms = {name for name in ks.__all__ if name.islower() and name not in ("pretrain", "presets")}
    assert rooms <= documented


def test_pages_lead_to_the_site_and_to_the_repository(site):
    page = (site / "what-can-be-hidden" / "index.html").read_text(encoding="utf-8")
    assert 'src="../examples/masks.jpg"' in page
    assert (site / "examples" / "masks.jpg").exists()
    assert 'href="../benchmarks/"' in (site / "does-it-pay" / "index.html").read_text()
    page = (site / "containers" / "index.html").read_text(encoding="utf-8")
    assert '/blob/main/Dockerfile"' in page


def test_nothing_is_fetched_from_elsewhere(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]* src="(https?:[^"]*)"', text)
        loaded += re.findall(r'<link rel="stylesheet"[^>]* href="(https?:[^"]*)"', text)
        assert loaded == [], page


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("[no page](no-page.md)", "no-page.md"),
        ("[no such part](serve.md#no-such-part)", "no-such-part"),
        ("[no file](../examples/no_file.py)", "no_file.py"),
    ],
)
def test_a_broken_link_ends_the_build(link, said, tmp_path):
    ignored = shutil.ignore_patterns(".venv", ".git", "runs", "site", "tests", "results", "*.jpg")
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=ignored)
    shutil.copytree(ROOT / "examples", copy / "examples", dirs_exist_ok=True)
    # Without the reference, which takes longest.
    for page in (copy / "docs" / "reference").glob("*.md"):
        page.write_text("# Empty\n")
    with (copy / "docs" / "install.md").open("a") as page:
        page.write(f"\n{link}\n")
    result = build(copy, tmp_path / "site")
    assert result.returncode != 0
    assert said in result.stderr
