"""Padding, truncation and checks of any tokenizer, on a function of one's own."""

import copy

import keras
import numpy as np
import pytest

from keras_simmim.data import CallableTokenizer
from keras_simmim.data.text.as_tokenizer import as_tokenizer

pytestmark = pytest.mark.any_backend


@keras.saving.register_keras_serializable("tests")
def letters(text):
    """Number the letters: a is 1."""
    return [ord(letter) - 96 for letter in text]


@keras.saving.register_keras_serializable("tests")
def spelled(ids):
    return "".join(chr(number + 96) for number in ids)


@keras.saving.register_keras_serializable("tests")
class Shifted:
    """Number the letters from another number on."""

    def __init__(self, first):
        self.first = first

    def __call__(self, text):
        return [ord(letter) - 97 + self.first for letter in text]

    def get_config(self):
        return {"first": self.first}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def test_rows_are_padded_and_cut_off():
    tokenizer = CallableTokenizer(letters)
    ids = tokenizer(["abc", "", "abcdef", b"cab"], 4)
    assert ids.dtype == np.int32
    assert ids.tolist() == [[1, 2, 3, 0], [0, 0, 0, 0], [1, 2, 3, 4], [3, 1, 2, 0]]
    assert tokenizer(iter(()), 4).shape == (0, 4)
    assert [own.tolist() for own in tokenizer.encode(("abcdef", ""))] == [[1, 2, 3, 4, 5, 6], []]


def test_decode_leaves_padding_out():
    tokenizer = CallableTokenizer(letters, vocabulary_size=27, decoder=spelled)
    ids = tokenizer(["abc", ""], 4)
    assert tokenizer.decode(ids) == ["abc", ""]
    assert tokenizer.decode(ids[0]) == "abc"
    assert tokenizer.decode(keras.ops.convert_to_tensor(ids)) == ["abc", ""]
    for wrong, message in (([27], "from 0 to 26, got values from 27"), ([-1], "from 0 to 26")):
        with pytest.raises(ValueError, match=message):
            tokenizer.decode(np.array(wrong))
    with pytest.raises(ValueError, match=r"integers \(L,\) or \(N, L\), got float"):
        tokenizer.decode(np.zeros(3))
    with pytest.raises(ValueError, match="decoder=…"):
        CallableTokenizer(letters).decode([[1]])


@pytest.mark.parametrize("function", [letters, Shifted(5)], ids=["function", "object"])
def test_it_is_saved_if_its_function_is_registered(function, tmp_path):
    from keras_simmim.data import Tokenizer

    tokenizer = CallableTokenizer(function, 40, spelled)
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(tokenizer))
    tokenizer.save(tmp_path / "tokenizer.json")
    for other in (restored, Tokenizer.load(tmp_path / "tokenizer.json"), copy.deepcopy(tokenizer)):
        assert type(other) is CallableTokenizer
        assert other.vocabulary_size == 40
        np.testing.assert_array_equal(other(["abc"], 5), tokenizer(["abc"], 5))
        assert other.decode([1, 2]) == "ab"
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]


def test_equal_functions_make_equal_tokenizers():
    assert CallableTokenizer(letters) == CallableTokenizer(letters)
    assert CallableTokenizer(letters) != CallableTokenizer(letters, 27)
    assert len({CallableTokenizer(letters), CallableTokenizer(letters)}) == 1


def test_a_function_that_nothing_could_find_again_is_not_saved(tmp_path):
    def unknown(text):
        return [1]

    for function in (unknown, lambda text: [1]):
        tokenizer = CallableTokenizer(function)
        for save in (tokenizer.get_config, lambda: tokenizer.save(tmp_path / "file")):  # noqa: B023
            with pytest.raises(ValueError, match=r"register_keras_serializable\(\) to be saved"):
                save()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([0, 1], "ids from 1 to 2³¹ − 1, as 0 is padding; got ids from 0 to 1 for 'a'"),
        ([-3], "got ids from -3 to -3"),
        ([2**31], "got ids from 2147483648"),
        ([0.5], "list of integers for a text"),
        (["a"], "list of integers for a text"),
        ([[1]], "list of integers for a text"),
        ({"input_ids": [1]}, "list of integers for a text"),
    ],
)
def test_ids_that_are_none_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        CallableTokenizer(lambda text: given)(["a"], 3)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("so good", "texts must be strings in a list .* got str 'so good'"),
        (3, "got int 3"),
        (None, "got NoneType None"),
        (["a", 3], "number 1 is 3"),
        (["a", float("nan")], "number 1 is nan"),
        ([b"\xff"], "bytes in UTF-8; number 0"),
    ],
)
def test_what_is_no_text_is_refused(texts, message):
    with pytest.raises(ValueError, match=message):
        CallableTokenizer(letters)(texts, 3)


def test_arguments_out_of_range_are_named():
    with pytest.raises(ValueError, match="length must be at least 1, got 0"):
        CallableTokenizer(letters)(["a"], 0)
    with pytest.raises(ValueError, match="function must be one from a text to ids, got 'letters'"):
        CallableTokenizer("letters")
    with pytest.raises(ValueError, match="decoder must be a function or None, got 3"):
        CallableTokenizer(letters, decoder=3)
    with pytest.raises(ValueError, match="vocabulary_size must be at least 2, got 1"):
        CallableTokenizer(letters, 1)


def test_as_tokenizer():
    tokenizer = CallableTokenizer(letters)
    assert as_tokenizer(tokenizer) is tokenizer
    assert as_tokenizer(None) is None
    assert as_tokenizer(letters) == tokenizer
    for wrong in ("tokenizer.json", 3, {"json": ""}, CallableTokenizer):
        with pytest.raises(ValueError, match=r"must be a ks\.data\.Tokenizer, a function"):
            as_tokenizer(wrong)
