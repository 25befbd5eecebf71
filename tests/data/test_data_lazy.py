import subprocess
import sys

import pytest

from keras_simmim import data


def test_import_leaves_tensorflow_alone():
    code = (
        "import sys, keras; loaded = set(sys.modules); from keras_simmim import data; "
        "print({'tensorflow', 'tensorflow_datasets'} & set(sys.modules) - loaded)"
    )
    command = [sys.executable, "-c", code]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "set()"


def test_public_names_are_functions():
    import keras_simmim.data.sources.folder  # noqa: F401

    assert {"from_arrays", "from_tfds", "image_folder"} <= set(dir(data))
    assert all(callable(getattr(data, name)) for name in data.__all__)
    with pytest.raises(AttributeError, match="no attribute 'folders'"):
        data.folders  # noqa: B018
