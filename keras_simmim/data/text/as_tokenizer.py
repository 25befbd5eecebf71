"""Whatever turns texts into ids as a tokenizer."""

from typing import Any

from keras_simmim.data.text.callable_tokenizer import CallableTokenizer
from keras_simmim.data.text.text_encoder import TextEncoder


def as_tokenizer(value: Any, name: str = "tokenizer") -> TextEncoder | None:
    """Return a tokenizer as it is, a function from a text to ids as one, and None as None.

    Args:
        value: any of these.
        name: of the argument, for the error.

    Raises:
        ValueError: for anything else.
    """
    if value is None or isinstance(value, TextEncoder):
        return value
    if callable(value) and not isinstance(value, type):
        return CallableTokenizer(value)
    raise ValueError(
        f"{name} must be a ks.data.Tokenizer, a function from a text to a list of ids, or None, "
        f"got {value!r:.60}. Of a file: ks.data.Tokenizer.load(path); of a tokenizers.Tokenizer: "
        "ks.data.Tokenizer(tokenizer.to_str())."
    )
