"""Texts to ids and back, as a JSON file of Hugging Face's `tokenizers` says."""

import json
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import keras

from keras_simmim.data import arguments
from keras_simmim.data.text.text_encoder import TextEncoder


@keras.saving.register_keras_serializable("keras_simmim")
class Tokenizer(TextEncoder):
    """Turn texts into ids and back, as a JSON text of Hugging Face's `tokenizers` says.

    `ks.data.train_tokenizer` makes one from your texts. The package `tokenizers` is needed when it
    is first used, not to open a model that holds one.

    Args:
        json: what `tokenizers.Tokenizer.to_str` returns. Id 0 must be that of padding.

    Raises:
        ValueError: for another text.

    Example:
    ```python
    import keras_simmim as ks

    ks.data.train_tokenizer(["so good", "so bad"] * 9, vocabulary_size=270).save("tokenizer.json")
    tokenizer = ks.data.Tokenizer.load("tokenizer.json")
    ids = tokenizer(["so good", "so"], length=4)
    ids.shape, tokenizer.decode(ids)   # ((2, 4), ['so good', 'so'])
    ```
    """

    def __init__(self, json: str) -> None:
        _check_json(json)
        self.json = json

    @property
    def vocabulary_size(self) -> int | None:
        """Return the number of ids, padding included; None where nobody said it."""
        return max(self._engine.get_vocab().values()) + 1

    def ids_of(self, texts: list[str]) -> list[Sequence[int]]:
        """Return the ids of some texts, unchecked.

        Args:
            texts: strings.
        """
        return [encoding.ids for encoding in self._engine.encode_batch(texts)]

    def texts_of(self, ids: list[list[int]]) -> list[str]:
        """Return the texts of lists of ids without padding.

        Args:
            ids: the lists.
        """
        decoded = self._engine.decode_batch(ids, skip_special_tokens=False)
        return [text.strip() for text in decoded]

    def file_content(self) -> str:
        """Return what `save` writes."""
        return self.json

    @staticmethod
    def load(path: str | os.PathLike[str]) -> TextEncoder:
        """Read a file that `save` wrote, or a `tokenizer.json` of Hugging Face's `tokenizers`.

        That of a `ks.data.CallableTokenizer` is also read.

        Args:
            path: of the file.

        Raises:
            FileNotFoundError: if there is none.
            ValueError: for a file of anything else.
        """
        content = Path(arguments.as_path("path", path)).read_text(encoding="utf-8")
        saved = _as_dictionary(content)
        if saved is not None and "registered_name" in saved:
            tokenizer = keras.saving.deserialize_keras_object(saved)
            if isinstance(tokenizer, TextEncoder):
                return tokenizer
        return Tokenizer(content)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"json": self.json}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokenizer) and self.json == other.json

    def __hash__(self) -> int:
        return hash(self.json)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made at the first use."""
        return {name: value for name, value in self.__dict__.items() if name != "_engine"}

    @cached_property
    def _engine(self) -> Any:
        """Make the tokenizer of the library, which neither pads nor truncates."""
        try:
            import tokenizers
        except ImportError as error:
            raise ImportError(
                'ks.data.Tokenizer needs tokenizers: pip install "keras-simmim[text]"',
                name="tokenizers",
            ) from error
        try:
            engine = tokenizers.Tokenizer.from_str(self.json)
        except Exception as error:  # That is all that the library says of it.
            raise ValueError(f"json cannot be read by tokenizers: {error}.") from error
        engine.no_padding()
        engine.no_truncation()
        # Who writes "[PAD]" in a text means these letters.
        engine.encode_special_tokens = True
        return engine


def _as_dictionary(content: str) -> dict[str, Any] | None:
    """Return the dictionary that a JSON text holds, None for another text."""
    try:
        value = json.loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _check_json(content: Any) -> None:
    """Raise a ValueError for what is no JSON text of a tokenizer."""
    saved = _as_dictionary(content) if isinstance(content, str) else None
    if saved is None or "model" not in saved:
        raise ValueError(
            "json must be the text of a tokenizer.json of Hugging Face's tokenizers, got "
            f"{content!r:.60}."
        )
