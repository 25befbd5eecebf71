"""The command's arguments, its errors and its backend, without training anything."""

import argparse
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import keras
import pytest

import keras_simmim as ks
from keras_simmim.command import arguments, doctor, main, start
from keras_simmim.command.command_error import CommandError
from keras_simmim.command.invocation import _on_one_line, _stopped
from keras_simmim.command.noise import _NOISE
from keras_simmim.command.parser import new_parser

pytestmark = pytest.mark.any_backend

ROOT = Path(__file__).parents[2]
NAMES = ("pretrain", "embed", "evaluate", "finetune", "classify", "segment", "detect", "export",
         "report", "doctor")  # fmt: skip

# To import a name whose module is None is an error.
WITHOUT = """
import sys
sys.argv = ["keras-simmim", *sys.argv[1:]]
sys.modules.update(dict.fromkeys(("keras", "tensorflow", "jax", "torch", "numpy", "PIL")))
from keras_simmim.command import main
sys.exit(main())
"""


# ------------------------------------------------------------------------------ how it begins


@pytest.mark.parametrize("given", [["--help"], ["--version"], ["embed", "--help"], ["embed"]])
def test_it_answers_before_anything_is_imported(given):
    result = subprocess.run([sys.executable, "-c", WITHOUT, *given], capture_output=True, text=True)
    assert result.returncode == (2 if given == ["embed"] else 0), result.stderr
    assert "usage: keras-simmim" in result.stdout + result.stderr or ks.__version__ in result.stdout


def test_the_library_waits_for_the_command_alone(monkeypatch):
    assert not start.is_starting()
    monkeypatch.delitem(sys.modules, "keras")
    for argv, orig_argv, expected in (
        (["/usr/bin/keras-simmim", "--help"], [], True),
        (["keras-simmim.exe"], [], True),
        (["keras-simmim.py"], [], False),
        (["train.py", "keras-simmim"], [], False),
        (["-m"], ["python", "-m", "keras_simmim", "doctor"], True),
        (["-m"], ["python", "-Xdev", "-um", "keras_simmim"], True),
        (["-m"], ["python", "-m", "keras_simmim.export", "folder"], False),
        (["-m"], ["python", "-m", "other", "-m", "keras_simmim"], False),
        ([""], ["python"], False),
        ([], [], False),
    ):
        monkeypatch.setattr(sys, "argv", argv)
        monkeypatch.setattr(sys, "orig_argv", orig_argv)
        assert start.is_starting() is expected, (argv, orig_argv)


def test_the_backend_is_that_of_the_option_the_variable_the_file_or_the_first(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert start.choose("torch") == ("torch", "by --backend")
    assert start.choose(None) == ("jax", "by KERAS_BACKEND")
    monkeypatch.delenv("KERAS_BACKEND")
    assert start.choose(None) == ("tensorflow", "which is installed")
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    assert start.choose(None) == ("torch", "by Keras' own settings")
    monkeypatch.setattr(start, "is_installed", lambda package: package == "jax")
    # What nobody chose for this command gives way, what somebody chose does not.
    assert start.choose(None) == ("jax", "which is installed")
    with pytest.raises(CommandError, match=r"--backend torch: .* pip install 'keras-simmim\[torch"):
        start.choose("torch")
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    with pytest.raises(CommandError, match=r"KERAS_BACKEND must be one of .* got 'theano'"):
        start.choose(None)
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setattr(start, "is_installed", lambda package: False)
    with pytest.raises(CommandError, match="no backend is installed; pip install 'keras-simmim'"):
        start.choose(None)


def test_the_backend_of_a_process_stays(capsys):
    other = next(name for name in start.BACKENDS if name != keras.backend.backend())
    assert main(["doctor", "--backend", other]) == 1
    assert f"Keras runs on {keras.backend.backend()} in this process" in capsys.readouterr().err


# ------------------------------------------------------------------------------ its arguments


def test_each_subcommand_has_help_with_an_example():
    parser = new_parser()
    text = parser.format_help()
    (parsers,) = (each for each in parser._actions if each.dest == "==SUPPRESS==" or each.choices)
    assert tuple(parsers.choices) == NAMES
    for name, subparser in parsers.choices.items():
        assert re.search(rf"^    {name}\b", text, re.M)
        lines = re.findall(r"^  keras-simmim (.*)$", subparser.format_help(), re.M)
        assert lines
        # What they show can be typed.
        for line in lines:
            assert parser.parse_args(line.split()).subcommand == name


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "arguments are required: COMMAND"),
        ("train", "invalid choice: 'train'"),
        ("pretrain --data photos", "arguments are required: --output"),
        ("pretrain --data a --output b --epochs 0", "--epochs: must be at least 1, got 0"),
        ("pretrain --data a --output b --epochs x", "--epochs: invalid integer value: 'x'"),
        ("pretrain --data a --output b --back jax", "unrecognized arguments: --back"),
        (
            "pretrain --data a --output b --epoch 3",
            "pretrain: error: unrecognized arguments: --epoch 3",
        ),
        ("embed --model a --data b --output c.csv", "must end in .npy or .parquet, got 'c.csv'"),
        ("finetune --model a --data b --output c --held-out 2", "must be from 0 to 1, got 2"),
        ("detect --model a --data b --output c --detector rcnn", "invalid choice: 'rcnn'"),
        ("export --model a --output b --format tflite", "invalid choice: 'tflite'"),
    ],
)
def test_bad_arguments_end_with_2(given, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(given.split())
    assert end.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("pretrain --data nowhere --output runs/a", "--data nowhere: there is no such folder."),
        ("pretrain --data a.txt --output runs/a", "--data a.txt: is a file, and must be a folder."),
        ("pretrain --data . --output runs/a", "--output runs/a: lies in --data ., among"),
        ("pretrain --data empty --output a.txt", "--output a.txt: cannot be made: File exists."),
        ("pretrain --data empty --output runs/a", "no images under 'empty'"),
        ("embed --model none --data empty --output a.npy", "--model none: there is no such run or"),
        ("embed --model a.txt --data empty --output a.npy", "--model a.txt: is a file, but no"),
        ("embed --model empty --data empty --output a.npy", "--model empty: the folder holds no"),
        ("segment --model a --data empty --masks none --output b", "--masks none: there is no"),
        ("detect --model a --data empty --output found", "must end in .json for the boxes"),
        ("detect --model a --data empty --boxes b.json --output c", "--boxes b.json: there is no"),
        ("report empty", "RUN empty: is no folder of a run"),
    ],
)
def test_failures_are_one_line_and_end_with_1(given, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("no image")
    assert main(given.split()) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("keras-simmim: ")
    assert message in line
    # Nothing stays of what could not be begun.
    assert not (tmp_path / "runs/a").exists()


def test_no_rights_to_write(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(CommandError, match="cannot be written to; choose another folder"):
        arguments.check_output(tmp_path / "runs")


def test_a_missing_package_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(start, "is_installed", lambda package: False)
    output = tmp_path / "a.parquet"
    assert main(["embed", "--model", "a", "--data", str(tmp_path), "--output", str(output)]) == 1
    assert "pip install 'keras-simmim[parquet]'" in capsys.readouterr().err


# --------------------------------------------------------------------------------- how it ends


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            ValueError("image_size must be above 0,\n got 0."),
            "--image-size must be above 0, got 0.",
        ),
        (ValueError("seed: the run was begun with 0"), "--seed: the run was begun with 0"),
        (ValueError("depth must be 1"), "depth must be 1"),
        (PermissionError(13, "Permission denied", "a/b"), "a/b: Permission denied"),
        (ImportError("needs x: pip install x"), "needs x: pip install x"),
        (KeyError("x"), "KeyError: 'x' (an error of ours? --debug shows where)"),
        (CommandError("--data a: b: c"), "--data a: b: c"),
    ],
)
def test_errors_name_the_option(error, line):
    assert _on_one_line(error) == line


def test_debug_shows_where(tmp_path, monkeypatch):
    with pytest.raises(CommandError):
        main(["report", str(tmp_path), "--debug"])
    monkeypatch.setenv("KERAS_SIMMIM_DEBUG", "1")
    with pytest.raises(CommandError):
        main(["report", str(tmp_path)])


def test_a_stopped_run_says_what_to_type(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/keras-simmim"])
    options = argparse.Namespace(trains=True, output=tmp_path, backend=None)
    assert _stopped(options, [], None) == "Stopped, before there was anything to keep."
    monkeypatch.setattr(ks.pretraining.Run, "epochs_of", lambda folder: 3)
    given = ["pretrain", "--data", "my photos", "--output", "run", "--overwrite"]
    command = "keras-simmim pretrain --data 'my photos' --output run"
    assert _stopped(options, given, None).splitlines()[1] == f"  {command}"
    assert _stopped(options, given, "jax").splitlines()[1] == f"  KERAS_BACKEND=jax {command}"
    monkeypatch.setattr(sys, "argv", ["/x/keras_simmim/__main__.py"])
    options.backend = "torch"
    assert "\n  python -m keras_simmim pretrain" in _stopped(options, given, "jax")

    def stop(options):
        raise ks.training.Stopped(15)

    monkeypatch.setattr("keras_simmim.command.report.run", stop)
    assert main(["report", str(tmp_path)]) == 128 + 15
    assert capsys.readouterr().err == "Stopped.\n"


@pytest.mark.parametrize(
    ("line", "is_noise"),
    [
        (b"I0000 00:00:1795867087.7 5639 cudart_stub.cc:31] Could not find cuda drivers", True),
        (b"2026-11-28 12:00:00.1: W tensorflow/core/framework/x.cc:1] Allocation exceeds", True),
        (b"Improper call to JPEG library in state 201", True),
        (b"2026-11-28 12:00:00.1: E tensorflow/core/x.cc:1] out of memory", False),
        (b"F0000 00:00:1795867087.7 5639 x.cc:31] Check failed", False),
        (b"Note: Skipped the broken image 'a.jpg': the file is empty.", False),
    ],
)
def test_noise_is_told_from_errors(line, is_noise):
    assert bool(_NOISE.match(line)) is is_noise


def test_the_extras_of_doctor_are_those_of_the_package():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert set(doctor.EXTRAS) <= set(extras)


def test_doctor_tells_what_is_missing(monkeypatch, capsys):
    assert main(["doctor"]) == 0
    assert f"keras-simmim:  {ks.__version__}" in capsys.readouterr().out
    monkeypatch.setattr(start, "is_installed", lambda package: package != "tensorflow")
    assert main(["doctor"]) == 1
    monkeypatch.setattr(start, "is_installed", lambda package: package == "tensorflow")
    assert main(["doctor"]) == 0
    assert "linear probes: pip install 'keras-simmim[evaluation]'" in capsys.readouterr().out


def test_a_run_of_another_subcommand_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("data/a", "run"):
        Path(folder).mkdir(parents=True)
    Path("run/run.json").write_text(json.dumps({"settings": {"subcommand": "finetune"}}))
    assert main(["pretrain", "--data", "data", "--output", "run"]) == 1
    assert "--output run: holds a run of finetune" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (
            "--image-size 32",
            "--image-size: the run in run was begun with [64, 64, 3], got [32, 32,",
        ),
        ("--patch-size 4", "--patch-size: the run in run was begun with 8, got 4"),
        ("--reconstruct", "--reconstruct: the run in run was begun with False, got True"),
        ("--seed 1", "--seed: the run in run was begun with 0, got 1"),
    ],
)
def test_a_run_takes_no_other_options(option, told, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("data", "run/checkpoints"):
        Path(folder).mkdir(parents=True)
    begun = {"data": "data", "image_shape": [64, 64, 3], "seed": 0, "epochs": 2}
    begun |= {"patch_size": 8, "reconstruct": False}
    Path("run/run.json").write_text(json.dumps({"settings": begun}))
    assert main(["pretrain", "--data", "data", "--output", "run", *option.split()]) == 1
    assert told in capsys.readouterr().err
