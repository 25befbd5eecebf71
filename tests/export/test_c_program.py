"""A C program on TensorFlow's C API gives Python's numbers: the runtime that TF Serving runs on."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The compiled program."""
    library = Path(tf.sysconfig.get_lib())
    built = tmp_path_factory.mktemp("program") / "serve"
    command = ["gcc", "-Wall", "-Werror", "-O1", Path(__file__).with_name("serve.c"), "-o", built]
    command += [f"-I{tf.sysconfig.get_include()}", f"-Wl,-rpath,{library}"]
    command += [library / "libtensorflow_cc.so.2", library / "libtensorflow_framework.so.2"]
    compiled = subprocess.run(command, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stderr
    return built


def tensor_names(path, wanted):
    """The names in the graph of what "serving_default" takes and gives, as the program has them."""
    saved = saved_model_pb2.SavedModel.FromString(Path(path, "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    outputs = [signature.outputs[name].name for name in wanted]
    return [signature.inputs["image_bytes"].name, ",".join(outputs)]


def values(text):
    """A line that the program has printed: strings, or numbers."""
    parts = text.split()
    if parts[0].startswith("x"):
        return [bytes.fromhex(part[1:]) for part in parts]
    return [float(part) for part in parts]


def asked(program, export, wanted, files):
    """The answers to files by the outputs' names."""
    names = tensor_names(export.path, wanted)
    done = subprocess.run([program, export.path, *names, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = list(map(values, done.stdout.splitlines()))
    assert len(lines) == len(files) * len(wanted)
    return {name: lines[number :: len(wanted)] for number, name in enumerate(wanted)}


def test_a_c_program_answers_as_python_does(exports, photographs, program):
    export = exports["classes"]
    files = sorted(photographs.iterdir())
    wanted = ["probabilities", "classes"]
    found = asked(program, export, wanted, files)
    assert found["classes"] == [[b"0", b"1", b"2"]] * 10
    answer = export.served.predict([file.read_bytes() for file in files])["probabilities"]
    np.testing.assert_allclose(found["probabilities"], answer, atol=1e-6)

    names = tensor_names(export.path, wanted)
    bad = subprocess.run([program, export.path, *names, __file__], capture_output=True, text=True)
    assert bad.returncode == 1
    assert "is not a JPEG or PNG image" in bad.stderr


def test_a_c_program_gets_the_class_maps(exports, photographs, program):
    export = exports["segmenter"]
    files = sorted(photographs.iterdir())[:3]
    found = asked(program, export, ["class_map_bytes", "classes"], files)
    answer = export.served.predict([file.read_bytes() for file in files])
    assert found["class_map_bytes"] == [[contents] for contents in answer["class_map_bytes"]]
    assert found["classes"] == [[b"sea", b"land", b"ice"]] * 3


def test_a_c_program_gets_the_boxes(exports, photographs, program):
    export = exports["detector"]
    files = sorted(photographs.iterdir())[:3]
    answer = export.served.predict([file.read_bytes() for file in files])
    for name, found in asked(program, export, list(answer), files).items():
        expected = answer[name].reshape(3, -1)
        if name == "names":
            assert found == expected.tolist()
        else:
            np.testing.assert_allclose(found, expected, atol=1e-4)
