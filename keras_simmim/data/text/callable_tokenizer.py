"""A function of one's own as a tokenizer."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Self

import keras

from keras_simmim.data import arguments
from keras_simmim.data.text.text_encoder import TextEncoder


@keras.saving.register_keras_serializable("keras_simmim")
class CallableTokenizer(TextEncoder):
    """Let any function from a text to a list of ids be a tokenizer.

    To be saved with a model, the function must be registered with
    `@keras.saving.register_keras_serializable()`; an object of a registered class may be called
    instead.

    Args:
        function: from a string to a list of ids, each at least 1; 0 is padding.
        vocabulary_size: number of ids, padding included; None if it is not known.
        decoder: from a list of ids to a string, or None if `decode` is not needed.

    Raises:
        ValueError: if a function cannot be called.
        TypeError: if `vocabulary_size` is no integer.

    Example:
    ```python
    import keras_simmim as ks

    tokenizer = ks.data.CallableTokenizer(lambda text: [ord(letter) for letter in text])
    tokenizer(["abc", ""], length=2).tolist()   # [[97, 98], [0, 0]]
    ```
    """

    def __init__(
        self,
        function: Callable[[str], Sequence[int]],
        vocabulary_size: int | None = None,
        decoder: Callable[[list[int]], str] | None = None,
    ) -> None:
        if not callable(function):
            raise ValueError(f"function must be one from a text to ids, got {function!r:.60}.")
        if decoder is not None and not callable(decoder):
            raise ValueError(f"decoder must be a function or None, got {decoder!r:.60}.")
        if vocabulary_size is not None:
            arguments.as_integer("vocabulary_size", vocabulary_size, minimum=2)
        self.function = function
        self.decoder = decoder
        self._size = vocabulary_size

    @property
    def vocabulary_size(self) -> int | None:
        """Return the number of ids, padding included; None where nobody said it."""
        return self._size

    def ids_of(self, texts: list[str]) -> list[Sequence[int]]:
        """Return the ids of some texts, unchecked.

        Args:
            texts: strings.
        """
        return [self.function(text) for text in texts]

    def texts_of(self, ids: list[list[int]]) -> list[str]:
        """Return the texts of lists of ids without padding.

        Args:
            ids: the lists.

        Raises:
            ValueError: without a decoder.
        """
        if self.decoder is None:
            raise ValueError(
                "decode needs a function from ids to a text: "
                "ks.data.CallableTokenizer(function, decoder=…)."
            )
        return [self.decoder(own) for own in ids]

    def file_content(self) -> str:
        """Return what `save` writes."""
        return json.dumps(keras.saving.serialize_keras_object(self))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments.

        Raises:
            ValueError: for a function that nothing could find again.
        """
        return {
            "function": _saved("function", self.function),
            "vocabulary_size": self._size,
            "decoder": None if self.decoder is None else _saved("decoder", self.decoder),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the tokenizer of a `get_config`."""
        functions = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("function", "decoder")
        }
        return cls(**{**config, **functions})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CallableTokenizer) and (
            (self.function, self.decoder, self._size)
            == (other.function, other.decoder, other._size)
        )

    def __hash__(self) -> int:
        return hash((self.function, self.decoder, self._size))


def _saved(name: str, function: Any) -> Any:
    """Return a function as Keras saves it."""
    registered = function if hasattr(function, "__name__") else type(function)
    known = keras.saving.get_registered_object(keras.saving.get_registered_name(registered))
    if known is not registered:
        raise ValueError(
            f"a tokenizer's {name} must be registered with "
            "@keras.saving.register_keras_serializable() to be saved, got "
            f"{getattr(registered, '__qualname__', registered)!r}; "
            "ks.data.train_tokenizer makes one that needs nothing."
        )
    return keras.saving.serialize_keras_object(function)
