"""Without `tokenizers` it is said what to install, and what needs it not goes on."""

import json
import os
import subprocess
import sys

import keras
import pytest

import keras_simmim as ks

pytestmark = pytest.mark.any_backend


def test_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    tokenizer = ks.data.Tokenizer(json.dumps({"model": {}}))
    tokenizer.save(tmp_path / "tokenizer.json")
    tokenizer = ks.data.Tokenizer.load(tmp_path / "tokenizer.json")
    for use in (
        lambda: tokenizer(["a"], 3),
        lambda: tokenizer.vocabulary_size,
        lambda: ks.data.train_tokenizer(["a"]),
    ):
        with pytest.raises(ImportError, match=r'pip install "keras-simmim\[text\]"') as caught:
            use()
        assert caught.value.name == "tokenizers"


RESTORE = """
import json, sys
import keras
from keras_simmim.data.text.as_tokenizer import as_tokenizer
saved = json.loads(sys.argv[1])
tokenizer = keras.saving.deserialize_keras_object(saved)
assert as_tokenizer(tokenizer) is tokenizer and tokenizer.json == '{"model": {}}'
"""


@pytest.mark.long
def test_what_a_model_holds_opens_in_another_process():
    tokenizer = ks.data.Tokenizer('{"model": {}}')
    saved = json.dumps(keras.saving.serialize_keras_object(tokenizer))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", RESTORE, saved], env=environment, check=True)
