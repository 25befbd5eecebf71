"""What is named is found in its order, or the error says what is not there."""

import itertools
from pathlib import Path

import pytest

from keras_simmim.data.tables.shard_paths import shard_paths

pytestmark = pytest.mark.any_backend


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Eleven files a-00.tar … a-09.tar and b.tar in the folder that tests run in."""
    monkeypatch.chdir(tmp_path)
    for name in (*(f"a-{number:02}.tar" for number in range(10)), "b.tar"):
        Path(name).write_bytes(b"")
    return tmp_path


def found(value):
    return shard_paths("paths", value, "cache")


def test_paths_patterns_ranges_and_lists(folder):
    numbered = [f"a-{number:02}.tar" for number in range(10)]
    assert found("b.tar") == found(Path("b.tar")) == found(["b.tar"]) == ["b.tar"]
    assert found("a-*.tar") == found("a-{00..09}.tar") == numbered
    assert found("a-0[0-3].tar") == numbered[:4]
    assert found(["b.tar", "a-{02..03}.tar"]) == ["b.tar", *numbered[2:4]]
    assert found("{b,a-01}.tar") == ["b.tar", "a-01.tar"]
    Path("c").mkdir()
    for shard, part in itertools.product("01", "xy"):
        Path(f"c/{shard}{part}.tar").write_bytes(b"")
    assert found("c/{0..1}{x,y}.tar") == [f"c/{s}{p}.tar" for s in "01" for p in "xy"]


def test_a_name_that_looks_like_a_pattern_is_a_name(folder):
    for name in ("a[0].tar", "{0..1}.tar"):
        Path(name).write_bytes(b"")
        assert found(name) == [name]


@pytest.mark.parametrize(
    ("value", "error", "match"),
    [
        ("none.tar", FileNotFoundError, "paths names 1 of 1 files .* not there, first 'none.tar'"),
        ("a-{08..12}.tar", FileNotFoundError, "names 3 of 5 files .* first 'a-10.tar'"),
        ("z-*.tar", FileNotFoundError, r"first 'z-\*.tar'"),
        (["b.tar", "b.tar"], ValueError, "must name each file once, got 'b.tar' 2 times"),
        ([], ValueError, "must name at least one file"),
        (".", IsADirectoryError, "must be files, got the folder '.'"),
        ("a-{9..0}.tar", ValueError, "must have ranges that rise"),
        ("a-{0..99999999}.tar", ValueError, "by less than 1,000,000"),
        ("a-{x}.tar", ValueError, r"must have ranges such as \{0000..0009\} in braces, got \{x\}"),
        (3, TypeError, "paths must be a path, a pattern, or a list of these, got 3"),
        ([3], TypeError, "paths must be a path, got 3"),
    ],
)
def test_mistakes_are_named(folder, value, error, match):
    with pytest.raises(error, match=match):
        found(value)
