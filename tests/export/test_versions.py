"""A version appears complete or not at all, and none is ever overwritten."""

import os
import subprocess

import pytest

import keras_simmim as ks
from keras_simmim.export import fresh_process, saved_model
from keras_simmim.export.fresh_process import run
from keras_simmim.export.versions import publish

FILES = ("saved_model.pb", "variables/variables.index")


@pytest.fixture
def write(monkeypatch):
    """Replaces what writes the graph by something quick."""

    def quick(_, model, path, **arguments):
        (path / "variables").mkdir()
        for file in FILES:
            (path / file).write_text("graph")

    monkeypatch.setattr(saved_model, "on_tensorflow", quick)


def test_versions_count_up_and_none_is_overwritten(make_model, tmp_path, write):
    model, directory = make_model(), tmp_path / "models" / "cells"
    paths = [ks.export.export_saved_model(model, directory) for _ in range(2)]
    paths.append(ks.export.export_saved_model(model, directory, version=30))
    paths.append(ks.export.export_saved_model(model, directory))
    assert paths == [str(directory / name) for name in ("1", "2", "30", "31")]
    before = (directory / "2" / "README.md").stat().st_mtime_ns
    with pytest.raises(FileExistsError, match="version=2 exists already"):
        ks.export.export_saved_model(model, directory, version=2)
    assert (directory / "2" / "README.md").stat().st_mtime_ns == before
    assert sorted(os.listdir(directory)) == ["1", "2", "30", "31"]


@pytest.mark.parametrize(
    ("version", "error"), [(0, ValueError), (-1, ValueError), ("1", TypeError)]
)
def test_a_version_is_a_positive_integer(make_model, tmp_path, version, error):
    with pytest.raises(error, match="version must be"):
        ks.export.export_saved_model(make_model(), tmp_path / "m", version=version)
    assert not (tmp_path / "m").exists()


def test_a_file_is_no_directory(make_model, tmp_path):
    (tmp_path / "m").write_text("")
    with pytest.raises(NotADirectoryError, match="is a file"):
        ks.export.export_saved_model(make_model(), tmp_path / "m")


def test_a_failed_export_leaves_nothing(make_model, tmp_path, monkeypatch):
    def fail(_, model, path, **arguments):
        (path / "saved_model.pb").write_text("half a gra")
        raise OSError("no space left")

    monkeypatch.setattr(saved_model, "on_tensorflow", fail)
    for directory in (tmp_path / "new", tmp_path):
        with pytest.raises(OSError, match="no space left"):
            ks.export.export_saved_model(make_model(), directory)
    assert os.listdir(tmp_path) == ["new"]
    assert os.listdir(tmp_path / "new") == []


def test_whoever_polls_sees_no_number_before_all_files_are_there(tmp_path):
    seen = []

    def polled():
        seen.append([name for name in os.listdir(tmp_path) if name.isdecimal()])

    def write(path):
        for file in ("variables", "saved_model.pb"):
            (path / file).write_text("")
            polled()

    assert publish(tmp_path, 7, write) == tmp_path / "7"
    polled()
    assert seen == [[], [], ["7"]]
    assert sorted(os.listdir(tmp_path / "7")) == ["saved_model.pb", "variables"]


def test_another_export_may_be_faster(tmp_path):
    def slow(path):
        (path / "mine").write_text("")
        for number in ("4", "5"):
            (tmp_path / number).mkdir(exist_ok=True)
            (tmp_path / number / "theirs").write_text("")

    with pytest.raises(FileExistsError, match="version=5 was written meanwhile"):
        publish(tmp_path, 5, slow)
    assert os.listdir(tmp_path / "5") == ["theirs"]
    # The next number was 6 when it began, and is free.
    assert publish(tmp_path, None, slow) == tmp_path / "6"
    assert sorted(os.listdir(tmp_path)) == ["4", "5", "6"]


def test_the_next_number_moves_on_when_it_was_taken_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_simmim.export.versions._highest", lambda directory: 0)
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "theirs").write_text("")
    assert publish(tmp_path, None, lambda path: (path / "mine").write_text("")) == tmp_path / "2"


def test_others_may_read_a_version(tmp_path):
    mask = os.umask(0o022)
    try:
        path = publish(tmp_path, 1, lambda path: None)
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o755


def test_the_reason_of_a_failed_process_arrives(tmp_path, monkeypatch):
    def process(command, **_):
        (tmp_path / "error.txt").write_text("ValueError: no such layer")
        return subprocess.CompletedProcess(command, 1, stderr="a long story")

    monkeypatch.setattr(fresh_process.subprocess, "run", process)
    with pytest.raises(RuntimeError, match=r"failed: ValueError: no such layer$"):
        run(tmp_path)
