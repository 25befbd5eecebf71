"""Importing the library is cheap: what it may need later is not imported yet."""

import subprocess
import sys

import keras
import pytest

LATER = {
    "keras_cv",
    "keras_hub",
    "tensorflow_datasets",
    "matplotlib",
    "pycocotools",
    "sklearn",
    "PIL",
}

# An import of a name whose module is None fails. Keras comes first: it looks for some of them.
IMPORT = """
import sys, keras
unwanted = sys.argv[1:]
loaded = {"tensorflow", "keras_cv", "keras_hub"} & set(unwanted) & set(sys.modules)
assert not loaded, loaded
sys.modules.update(dict.fromkeys(unwanted))
import keras_simmim
assert not [name for name in unwanted if sys.modules[name] is not None]
"""


@pytest.mark.fast_on("torch")
def test_import_brings_no_optional_library_and_no_other_backend():
    unwanted = LATER | ({"tensorflow", "jax", "torch"} - {keras.backend.backend()})
    result = subprocess.run(
        [sys.executable, "-c", IMPORT, *sorted(unwanted)], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr[-3000:]
