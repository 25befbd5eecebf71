"""The data room without TensorFlow says what to install, and what needs no installation."""

import os
import subprocess
import sys

import pytest

from keras_simmim import data

pytestmark = pytest.mark.any_backend

WITHOUT = """
import sys
sys.modules["tensorflow"] = None
import keras
import numpy as np
import keras_simmim as ks

names = ["image_folder", "from_arrays", "from_tfds", "metered", "coco", "texts", "histories"]
names += ["from_webdataset", "from_parquet", "from_huggingface", "from_generator", "write_shards"]
for name in names:
    try:
        getattr(ks.data, name)
    except ImportError as error:
        assert error.name == "tensorflow"
        readers = ("arrays", "PyDataset", "Grain", "DataLoader")
        for part in (f"ks.data.{name}", "pip install tensorflow", *readers):
            assert part.replace("ks.", "keras_simmim.") in str(error), error
    else:
        raise AssertionError(name)

assert ks.data.RandomCrop(8).shape == ks.data.CenterCrop((8, 8)).shape == (8, 8)
assert ks.data.WholeImage(8).shape == (8, 8)
assert set(ks.data.__all__) <= set(dir(ks.data))


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return np.full((4, 8, 8, 1), index), np.arange(4) % 2


images, labels = ks.data.few_labels(Batches(), 3)
assert images.shape == (6, 8, 8, 1) and sorted(labels) == [0, 0, 0, 1, 1, 1]

# Models take texts and histories as arrays, too.
tokenizer = ks.data.CallableTokenizer(lambda text: [ord(letter) for letter in text])
assert tokenizer(["ab"], 3).tolist() == [[97, 98, 0]]
train, _, test = ks.data.leave_one_out([1] * 4, [4, 3, 2, 1], [1, 2, 3, 4])
assert test.targets.tolist() == [1] and train.targets.tolist() == [3]
assert callable(ks.data.train_tokenizer) and callable(ks.data.Tokenizer)
"""


def test_what_needs_tensorflow_says_so_and_the_rest_works():
    process = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        env={**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr[-3000:]


def test_public_names_are_there_and_others_are_not():
    import keras_simmim.data.sources.folder  # noqa: F401

    assert set(data.__all__) <= set(dir(data))
    assert all(callable(getattr(data, name)) for name in data.__all__)
    with pytest.raises(AttributeError, match="no attribute 'folders'"):
        data.folders  # noqa: B018
