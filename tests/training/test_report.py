"""The report: what is in it, that nothing in it is taken for markup, and the curves."""

import json
import math
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_simmim.training import write_report
from keras_simmim.training.report.line_chart import MOST_POINTS, line_chart, number, thinned, ticks

pytestmark = pytest.mark.any_backend

EVIL = "<script>alert(1)</script>&\"'"
VOID = {"meta", "img", "line", "circle", "polyline"}


class Page(HTMLParser):
    """The tags, attributes and texts of a page; every element must be closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def folder(tmp_path):
    """What a run of two epochs with two modalities leaves, under names that are markup."""
    run = tmp_path / f"run {EVIL.replace('/', '')}"
    run.mkdir()
    record = {
        "started": "2026-01-02 03:04:05 +0000",
        "command": f"train.py {EVIL}",
        "backend": "torch",
        "settings": {EVIL: EVIL, "seed": 0},
        "versions": {"keras": "3.15.1"},
        "git": {"commit": "0123456789abcdef", "changed_files": 2},
        "hardware": {"devices": ["CPU", EVIL]},
        "earlier": [{"command": "train.py first", "started": "2026-01-01", "backend": "torch"}],
    }
    (run / "run.json").write_text(json.dumps(record))
    (run / "summary.json").write_text(json.dumps({"knn_after": 0.75, "image_shape": [4, 4, 3]}))
    (run / "epochs.csv").write_text(
        "epoch,knn_accuracy,evaluate_seconds,loss,color_loss,spatial_loss,images_per_second,odd<b>\n"
        "0,0.5,1.5,,,,,\n"
        "1,0.5,0.0,0.9,0.4,0.5,100.0,1.0\n"
        "2,0.75,1.5,0.7,0.3,nan,300.0,2.0\n"
    )
    (run / "losses.csv").write_text("step,loss\n0,1.0\n1,0.8\n2,0.6\n3,0.4\n")
    keras.utils.save_img(run / "reconstructions.png", np.zeros((4, 4, 3)), scale=False)
    return run


def test_it_shows_everything_that_the_run_left(folder):
    path = write_report(folder)
    assert path == folder / "report.html"
    assert [file.name for file in folder.iterdir() if file.name.startswith(".")] == []
    page = Page(path.read_text(encoding="utf-8"))
    text = " ".join(page.texts)
    for words in (
        "1 → 0.4",  # the loss of the first and of the last tenth of four steps
        "50.0% → 75.0%",
        "300",  # images per second, but for the first epoch
        "commit 0123456789 and changes",
        "knn after",
        "4, 4, 3",
        "3.15.1",
        "2026-01-01  KERAS_BACKEND=torch train.py first\n2026-01-02",
    ):
        assert words in text, words
    # Of every step, kNN, the two modalities together, speed, and a column nobody knows.
    assert page.tags.count("svg") == 5
    assert page.tags.count("img") == 1
    # kNN was measured before training and after the second epoch.
    (knn,) = re.findall(r"<svg[^>]*knn_accuracy.*?</svg>", path.read_text())
    assert len(re.search(r'points="(.*?)"', knn)[1].split()) == knn.count("<circle") == 2


def test_nothing_is_taken_for_markup_and_nothing_is_fetched(folder):
    text = write_report(folder).read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert "b" in page.tags
    assert "odd<b>" in " ".join(page.texts)
    assert " ".join(page.texts).count(EVIL) == 4  # a setting's name and value, device, command
    addresses = [value for name, value in page.attributes if name in ("src", "href")]
    assert all(value.startswith("data:image/png;base64,") for value in addresses)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "url(" not in text
    assert "@import" not in text


def test_what_is_not_there_is_left_out(tmp_path):
    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    assert not {"svg", "img", "table", "section"} & set(page.tags)
    (tmp_path / "epochs.csv").write_text("epoch,loss\n1,0.9\n2,0.7\n")
    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    assert page.tags.count("svg") == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", "{"),
        ("summary.json", "[]"),
        ("epochs.csv", "epoch,loss\nfirst,1"),
        ("losses.csv", "a,b\n1,2"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match="folder must hold the files of a run, got"):
        write_report(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"folder must be that of a run.*absent"):
        write_report(tmp_path / "absent")


finite = st.floats(-1e12, 1e12, allow_subnormal=False)


@given(finite, finite)
def test_ticks_are_round_and_enclose_the_interval(low, high):
    low, high = sorted((low, high))
    found = ticks(low, high, 4)
    step = found[1] - found[0]
    slack = 1e-6 * step
    assert 2 <= len(found) <= 7
    assert found[0] <= low + slack
    assert high - slack <= found[-1]
    digit = step / 10 ** math.floor(math.log10(step) + 1e-6)
    assert min(abs(digit - each) for each in (1, 2, 5, 10)) < 1e-3


@given(st.lists(st.tuples(st.integers(0, 1000), st.floats(width=32)), max_size=20))
def test_any_curve_is_drawn_inside_its_frame(points):
    text = line_chart({"<&>": points}, "x")
    if not any(math.isfinite(y) for _, y in points):
        assert text == ""
        return
    root = ElementTree.fromstring(text)
    for element in root:
        places = element.get("points") or f"{element.get('cx', 0)},{element.get('cy', 0)}"
        for place in places.split():
            x, y = map(float, place.split(","))
            assert 0 <= x <= 360
            assert 0 <= y <= 200


def test_a_gap_divides_a_curve():
    text = line_chart({"a": [(0, 1.0), (1, 2.0), (2, math.nan), (3, 1.0), (4, 3.0)]}, "x")
    assert text.count("<polyline") == 2


def test_a_long_curve_keeps_its_mean():
    points = [(float(x), math.sin(x)) for x in range(10 * MOST_POINTS)]
    short = thinned(points)
    assert len(short) == MOST_POINTS
    assert sum(y for _, y in short) / MOST_POINTS == pytest.approx(
        sum(y for _, y in points) / len(points)
    )
    assert short[0][0] == 4.5


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.20561, "0.2056"),
        (12345.6, "12,346"),
        (1.5e-4, "0.00015"),
        (2.5e-7, "2.5e-7"),
        (999.96, "1,000"),
        (9999.7, "10,000"),
        (1034.2, "1,034"),
        (123456, "123,456"),
        (3e6, "3M"),
        (1.25e9, "1.25B"),
        (2e13, "2e13"),
        (-2, "-2"),
    ],
)
def test_numbers_are_as_people_write_them(value, text):
    assert number(value) == text


def test_results_are_written_out(tmp_path):
    results = {"parameters": 1234567, "resumed": True, "rate": 2.5e-7, "image_shape": [96, 64, 3]}
    (tmp_path / "summary.json").write_text(json.dumps(results))
    (tmp_path / "epochs.csv").write_text("epoch,images_per_second\n1,1034.2\n")
    text = " ".join(Page(write_report(tmp_path).read_text(encoding="utf-8")).texts)
    assert [words in text for words in ("1,234,567", "True", "2.5e-7", "96, 64, 3")] == [True] * 4
    assert "1,034 images per second" in text
    assert "e+03" not in text
