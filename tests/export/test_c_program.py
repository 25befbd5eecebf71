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


def tensor_names(path):
    """The names in the graph of what "serving_default" takes and gives."""
    saved = saved_model_pb2.SavedModel.FromString(Path(path, "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    outputs = [signature.outputs[name].name for name in ("probabilities", "classes")]
    return [signature.inputs["image_bytes"].name, *outputs]


def test_a_c_program_answers_as_python_does(exports, photographs, program):
    export = exports["classes"]
    files = sorted(photographs.iterdir())
    names = tensor_names(export.path)
    done = subprocess.run([program, export.path, *names, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[3:] for line in lines] == [["0", "1", "2"]] * 10
    answer = export.served.predict([file.read_bytes() for file in files])["probabilities"]
    measured = np.array([[float(number) for number in line[:3]] for line in lines])
    np.testing.assert_allclose(measured, answer, atol=1e-6)

    bad = subprocess.run([program, export.path, *names, __file__], capture_output=True, text=True)
    assert bad.returncode == 1
    assert "is not a JPEG or PNG image" in bad.stderr
