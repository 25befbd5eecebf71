"""Without `tokenizers` it is said what to install, and what needs it not goes on."""

import json
import sys

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
