"""Memory that a step frees is kept for the next one, unless something speaks against it."""

import resource
import sys
import types

import keras
import pytest

from keras_simmim.backend import memory

IS_JAX = keras.backend.backend() == "jax"
KEPT = [(-3, 2**31 - 1), (-1, 2**31 - 1)]


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc is what is told")
def test_freed_memory_is_not_asked_for_again():
    size = 2**27
    freed = b"x" * size
    del freed
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    again = b"y" * size
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert len(again) == size
    assert faults < size / resource.getpagesize() / 10


@pytest.fixture
def told(monkeypatch):
    """What glibc is told."""
    calls = []
    library = types.SimpleNamespace(mallopt=lambda *pair: calls.append(pair))
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.os, "environ", {"PATH": "/"})
    monkeypatch.setattr(memory, "_jax_may_have_accelerator", lambda: False)
    return calls


def test_two_gigabytes_are_kept(told):
    memory.keep_freed_memory()
    assert told == [(-8, 1)] * IS_JAX + KEPT


def test_beside_an_accelerator_of_jax_all_stays(told, monkeypatch):
    monkeypatch.setattr(memory, "_jax_may_have_accelerator", lambda: True)
    memory.keep_freed_memory()
    assert told == ([] if IS_JAX else KEPT)


def test_a_plugin_may_be_an_accelerator(monkeypatch):
    monkeypatch.setattr(memory.importlib.metadata, "entry_points", lambda group: [group])
    assert memory._jax_may_have_accelerator()
    monkeypatch.setattr(memory.importlib.metadata, "entry_points", lambda group: [])
    assert not memory._jax_may_have_accelerator()


@pytest.mark.parametrize("name", ["GLIBC_TUNABLES", "MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_"])
def test_what_the_user_set_stays(told, name):
    memory.os.environ[name] = "1"
    memory.keep_freed_memory()
    assert told == []


def test_other_systems_and_libraries_are_left_alone(told, monkeypatch):
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    memory.keep_freed_memory()
    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: types.SimpleNamespace())
    memory.keep_freed_memory()
    assert told == []
