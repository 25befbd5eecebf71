"""Byte-pair encoding of one's own texts."""

import hashlib
import json
import os
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_simmim as ks
from keras_simmim.data.text.as_tokenizer import as_tokenizer

pytestmark = pytest.mark.long

TEXTS = [f"{'Good' if number % 2 else 'bad'} movie number {number}" for number in range(60)]
TRAIN = """
import hashlib
import keras_simmim as ks
texts = [f"{'Good' if number % 2 else 'bad'} movie number {number}" for number in range(60)]
print(hashlib.sha256(ks.data.train_tokenizer(texts, 280).json.encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def tokenizer():
    return ks.data.train_tokenizer(TEXTS, vocabulary_size=280)


def test_ids_by_hand():
    # Words are " ab" five times and " abc" twice: merges " a", then " ab", then " abc".
    tokenizer = ks.data.train_tokenizer(["ab ab ab", "abc abc", "Ab\n ab", "c"])
    vocabulary = json.loads(tokenizer.json)["model"]["vocab"]
    assert (vocabulary["[PAD]"], vocabulary["[UNK]"]) == (0, 1)
    assert tokenizer.vocabulary_size == 258 + 3
    letters = {letter: vocabulary[letter] for letter in "abcĠ"}
    assert tokenizer(["ab", "ABC  ab\t", "b", "", " \n "], 3).tolist() == [
        [258 + 1, 0, 0],
        [258 + 2, 258 + 1, 0],
        [letters["Ġ"], letters["b"], 0],
        [0, 0, 0],
        [0, 0, 0],
    ]


def test_any_script_goes_there_and_back(tokenizer):
    texts = ["naïve 日本語 🙂", "Ünder", "a [PAD] b", "[UNK]", "ﬁne…", "", "two\n\nlines "]
    expected = ["naïve 日本語 🙂", "ünder", "a [pad] b", "[unk]", "fine...", "", "two lines"]
    assert tokenizer.decode(tokenizer(texts, 99)) == expected
    cased = ks.data.train_tokenizer(TEXTS, lowercase=False)
    assert cased.decode(cased(texts[1:4], 99)) == texts[1:4]
    assert all((own > 1).all() for own in cased.encode(texts))


def test_equal_texts_give_equal_tokenizers_in_every_process(tokenizer):
    shuffled = [TEXTS[index] for index in np.random.default_rng(0).permutation(len(TEXTS))]
    assert ks.data.train_tokenizer((text for text in shuffled), 280) == tokenizer
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    output = subprocess.check_output([sys.executable, "-c", TRAIN], env=environment, text=True)
    assert output.split()[-1] == hashlib.sha256(tokenizer.json.encode()).hexdigest()


def test_it_is_saved(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    expected = tokenizer(TEXTS, 8)
    copies = (
        ks.data.Tokenizer.load(tmp_path / "tokenizer.json"),
        ks.data.Tokenizer(**tokenizer.get_config()),
        keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(tokenizer)),
        pickle.loads(pickle.dumps(tokenizer)),
    )
    for other in copies:
        assert other == tokenizer
        assert hash(other) == hash(tokenizer)
        np.testing.assert_array_equal(other(TEXTS, 8), expected)
    assert ks.data.train_tokenizer(TEXTS, 279) != tokenizer


def test_the_file_is_that_of_tokenizers(tokenizer, tmp_path):
    from tokenizers import Tokenizer

    tokenizer.save(tmp_path / "tokenizer.json")
    theirs = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert theirs.encode(TEXTS[0]).ids == tokenizer.encode(TEXTS[:1])[0].tolist()
    # Their own padding and truncation are not ours.
    theirs.enable_truncation(2)
    theirs.enable_padding(length=9)
    assert ks.data.Tokenizer(theirs.to_str()).encode(TEXTS[:1])[0].tolist() == (
        tokenizer.encode(TEXTS[:1])[0].tolist()
    )


def test_texts_of_a_table(tokenizer, tmp_path):
    lines = ["text,label", *(f"{text},1" for text in TEXTS)]
    (tmp_path / "table.csv").write_text("\n".join(lines), encoding="utf-8")
    assert ks.data.train_tokenizer(tmp_path / "table.csv", 280, column="text") == tokenizer


def test_batches_of_texts(tokenizer):
    dataset = ks.data.texts(TEXTS, tokenizer, [0, 1] * 30, 4, 20, training=False)
    batches = zip(*dataset.as_numpy_iterator(), strict=True)
    ids, labels = (np.concatenate(column) for column in batches)
    np.testing.assert_array_equal(ids, tokenizer(TEXTS, 4))
    assert labels.tolist() == [0, 1] * 30
    assert dataset.tokenizer is tokenizer
    assert tokenizer.vocabulary_size == 280


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": "so good", "column": "text"}, "found nothing at 'so good'. A single text goes"),
        ({"texts": ["a", None]}, "number 1 is None"),
        ({"texts": 3}, "got int 3"),
        ({"texts": []}, "at least one that is not empty"),
        ({"texts": ["", " "]}, "at least one that is not empty"),
        ({"texts": TEXTS, "vocabulary_size": 257}, "vocabulary_size must be at least 258, got 257"),
        ({"texts": TEXTS, "column": "text"}, "column must be .* got column='text'"),
    ],
)
def test_what_it_cannot_learn_from_is_refused(arguments, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        ks.data.train_tokenizer(**arguments)


def test_what_is_no_tokenizer_is_refused(tokenizer, tmp_path):
    for wrong in ("", "[]", '{"a": 1}', 3):
        with pytest.raises(ValueError, match=r"json must be the text of a tokenizer\.json"):
            ks.data.Tokenizer(wrong)
    with pytest.raises(ValueError, match="json cannot be read by tokenizers"):
        ks.data.Tokenizer('{"model": 3}')(["a"], 2)
    with pytest.raises(FileNotFoundError):
        ks.data.Tokenizer.load(tmp_path / "nothing.json")
    from tokenizers import Tokenizer

    with pytest.raises(ValueError, match=r"ks\.data\.Tokenizer\(tokenizer\.to_str\(\)\)"):
        as_tokenizer(Tokenizer.from_str(tokenizer.json))
