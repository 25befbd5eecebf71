import os
import subprocess
import sys

import pytest

from keras_simmim import data


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_import_leaves_tensorflow_alone(backend):
    code = (
        "import sys; from keras_simmim import data; "
        "print([name for name in ('tensorflow', 'tensorflow_datasets') if name in sys.modules])"
    )
    environment = {**os.environ, "KERAS_BACKEND": backend}
    process = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "[]"


def test_public_names_are_functions():
    import keras_simmim.data.folder  # noqa: F401

    assert {"from_arrays", "from_tfds", "image_folder"} <= set(dir(data))
    assert all(callable(getattr(data, name)) for name in data.__all__)
    with pytest.raises(AttributeError, match="no attribute 'folders'"):
        data.folders  # noqa: B018
