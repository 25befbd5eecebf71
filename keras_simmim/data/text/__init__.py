"""Texts become rows of token ids; all of it works without TensorFlow.

Both kinds of tokenizers are registered by any import from here: a model may hold one.
"""

from keras_simmim.data.text.callable_tokenizer import CallableTokenizer
from keras_simmim.data.text.tokenizer import Tokenizer

__all__ = ["CallableTokenizer", "Tokenizer"]
