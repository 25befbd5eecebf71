"""What is written down about a run when it starts, and what is not."""

import json
import subprocess
import sys

import keras
import pytest

from keras_simmim.training import record_run


def git(folder, *arguments):
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


def test_it_says_what_runs_on_what(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", "--data", "my images"])
    monkeypatch.setenv("SOME_TOKEN", "do-not-write-me")
    record = record_run("runs/first/run.json", {"seed": 3, "size": (4, 5), "where": tmp_path})
    text = (tmp_path / "runs" / "first" / "run.json").read_text()
    assert json.loads(text) == record
    assert record["command"] == "train.py --data 'my images'"
    assert record["settings"] == {"seed": 3, "size": [4, 5], "where": str(tmp_path)}
    assert record["backend"] == keras.backend.backend()
    assert record["precision"] == "float32"
    versions = record["versions"]
    assert (versions["keras"], versions["python"]) == (keras.__version__, sys.version.split()[0])
    assert {"keras_simmim", "numpy", record["backend"]} <= set(versions)
    assert record["hardware"]["cores"] >= 1
    assert record["hardware"]["devices"]
    assert record["git"] is None
    assert "do-not-write-me" not in text
    assert "earlier" not in record


def test_it_tells_the_commit_and_whether_files_differ_from_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "--quiet")
    (tmp_path / "code.py").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    clean = record_run(tmp_path.parent / "clean.json")["git"]
    assert len(clean["commit"]) == 40
    assert clean["changed_files"] == 0
    (tmp_path / "code.py").write_text("2")
    (tmp_path / "new.py").write_text("3")
    assert record_run(tmp_path.parent / "dirty.json")["git"] == clean | {"changed_files": 2}


def test_a_run_that_goes_on_keeps_what_was_recorded(tmp_path):
    path = tmp_path / "run.json"
    for epochs in (1, 2, 3):
        record = record_run(path, {"epochs": epochs})
    assert [entry["settings"]["epochs"] for entry in record["earlier"]] == [1, 2]
    assert "earlier" not in record["earlier"][1]
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"earlier": 3}'])
def test_a_file_of_another_kind_is_not_overwritten(tmp_path, content):
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"path must be a new file or a run's record, got .*run"):
        record_run(path)
    assert path.read_text() == content
