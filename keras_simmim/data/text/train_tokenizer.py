"""A tokenizer from one's own texts."""

import os
from collections.abc import Iterable, Iterator

from keras_simmim.data import arguments
from keras_simmim.data.text.given_texts import given_texts
from keras_simmim.data.text.read_texts import is_path, read_texts
from keras_simmim.data.text.tokenizer import Tokenizer

# Padding, the unknown token, and each value of a byte.
_FEWEST = 258


def train_tokenizer(
    texts: Iterable[str] | str | os.PathLike[str],
    vocabulary_size: int = 8000,
    lowercase: bool = True,
    column: str | None = None,
) -> Tokenizer:
    """Learn the frequent pieces of words of some texts: byte-level byte-pair encoding.

    Every text of every script has ids, as each byte is a token. Letters are normalized (NFKC),
    white space between words counts as one space. Equal texts give equal tokenizers, whatever their
    order. Id 0 is "[PAD]", 1 is "[UNK]", which no text has: it is free for what has no text.

    Args:
        texts: strings in any iterable, which is read once; or a CSV file or folder, as in
            `ks.data.texts`.
        vocabulary_size: most ids, at least 258; it has fewer if the texts have no more pieces that
            occur twice.
        lowercase: whether "Good" and "good" are the same.
        column: of the CSV file.

    Returns:
        The tokenizer. Its `vocabulary_size` is the number of ids that it has.

    Raises:
        ImportError: without tokenizers.
        ValueError: for what is no text, only empty texts, or too small a vocabulary.
        TypeError: if an argument has another type.

    Source: Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", ACL
    2016, on bytes as in Radford et al., "Language Models are Unsupervised Multitask Learners",
    2019, section 2.2.

    Example:
    ```python
    import keras_simmim as ks

    tokenizer = ks.data.train_tokenizer(["so good", "so bad"] * 9, vocabulary_size=270)
    len(tokenizer.encode(["So good"])[0])   # 2
    ```
    """
    size = arguments.as_integer("vocabulary_size", vocabulary_size, minimum=_FEWEST)
    arguments.as_flag("lowercase", lowercase)
    if is_path(texts) or column is not None:
        given: Iterator[str] = iter(read_texts(texts, column=column).texts)
    else:
        given = given_texts(texts)
    try:
        from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
        from tokenizers import Tokenizer as Engine
    except ImportError as error:
        raise ImportError(
            'ks.data.train_tokenizer needs tokenizers: pip install "keras-simmim[text]"',
            name="tokenizers",
        ) from error
    engine = Engine(models.BPE(unk_token="[UNK]"))
    steps = [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    engine.normalizer = normalizers.Sequence(steps + [normalizers.Lowercase()] * lowercase)
    # A word is the same one at the beginning of a text and behind a space.
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    engine.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=["[PAD]", "[UNK]"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    filled = 0

    def counted() -> Iterator[str]:
        nonlocal filled
        for text in given:
            filled += bool(text.strip())
            yield text

    engine.train_from_iterator(counted(), trainer)
    if not filled:
        raise ValueError("texts must hold at least one that is not empty, got none.")
    return Tokenizer(engine.to_str())
