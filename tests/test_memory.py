"""TensorFlow's memory of a step is kept for the next one."""

import os
import subprocess
import sys

import pytest

from keras_simmim.backend import devices

pytestmark = [
    pytest.mark.only_on("tensorflow"),
    pytest.mark.skipif(
        devices.device_names() != ["CPU"], reason="accelerators keep memory by themselves"
    ),
]
FAULTS = """
import resource
import keras
import keras_simmim

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

keras.ops.zeros((2**25,))
before = faults()
keras.ops.ones((2**25,))
assert faults() - before < 2**27 // resource.getpagesize() / 10
"""


@pytest.mark.long
def test_freed_memory_is_not_asked_for_again():
    environment = {**os.environ}
    # The tests themselves let it go.
    del environment["TF_CPU_ALLOCATOR_USE_BFC"]
    result = subprocess.run([sys.executable, "-c", FAULTS], env=environment, capture_output=True)
    assert result.returncode == 0, result.stderr[-2000:]


def test_the_allocator_may_take_the_whole_memory():
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert int(os.environ["TF_CPU_BFC_MEM_LIMIT_IN_MB"]) == memory // 2**20


def test_what_the_user_set_stays(monkeypatch):
    from keras_simmim.backend.tensorflow.memory import keep_freed_memory

    monkeypatch.setenv("TF_CPU_ALLOCATOR_USE_BFC", "false")
    keep_freed_memory()
    assert os.environ["TF_CPU_ALLOCATOR_USE_BFC"] == "false"
