"""Random draws that are the same on every backend, from a counter-based integer hash.

`keras.random` gives other numbers on each backend and takes no tensor as a seed on two of them.
An integer hash in int32 arithmetic, which wraps alike everywhere, has neither trouble: the draw
is a function of (seed, step, image, block) and of nothing else. Images are numbered within the
batch of all replicas, so that no two replicas draw alike.
"""

from collections.abc import Sequence

from keras import ops

from keras_simmim.backend import devices
from keras_simmim.backend.types import Tensor


def _signed(word: int) -> int:
    """Give the int32 whose bits are those of an unsigned 32-bit word."""
    return word - (1 << 32) if word >= 1 << 31 else word


_GOLDEN_RATIO = _signed(0x9E3779B9)
_FIRST_FACTOR = _signed(0x7FEB352D)
_SECOND_FACTOR = _signed(0x846CA68B)


def _xor_shift(word: Tensor, bits: int) -> Tensor:
    """Combine a word with itself, shifted right."""
    # int32 shifts copy the sign; the mask makes the shift a logical one.
    # Of a number, `ops.bitwise_and` makes a tensor, for which torch waits on accelerators.
    shifted = ops.right_shift(word, bits) & ((1 << (32 - bits)) - 1)
    return ops.bitwise_xor(word, shifted)


def _mix(word: Tensor) -> Tensor:
    """Map 32-bit words to each other so that every input bit moves every output bit.

    The constants are those of `lowbias32` in Chris Wellons' hash-prospector.
    """
    word = _xor_shift(word, 16) * _FIRST_FACTOR
    word = _xor_shift(word, 15) * _SECOND_FACTOR
    return _xor_shift(word, 16)


def hash_words(words: Sequence[Tensor | int]) -> Tensor:
    """Hash a sequence of int32 words into one int32, uniform over all int32 values.

    Args:
        words: int32 tensors or Python integers; they broadcast against each other. For fixed
            other words, the result is a bijection of the last word: no two collide.

    Returns:
        An int32 tensor of the broadcast shape.

    Example:
    ```python
    from keras import ops
    from keras_simmim.layers.hashing import hash_words

    len(set(ops.convert_to_numpy(hash_words([7, 0, ops.arange(4)])).tolist()))   # 4 numbers
    ```
    """
    state = ops.zeros((), dtype="int32")
    for word in words:
        word = ops.cast(word, "int32")
        state = _mix(ops.bitwise_xor(state, word) + _GOLDEN_RATIO)
    return state


def random_ranks(seed: int, step: Tensor | int, batch_size: Tensor | int, blocks: int) -> Tensor:
    """Rank each image's blocks at random: a permutation of 0 … blocks−1 for every image.

    Hiding the blocks whose rank is below n hides exactly n of them, and hiding more of them later
    hides the same ones first: growing masks are nested by construction.

    Args:
        seed: the generator's seed, 0 ≤ seed < 2³¹.
        step: the training step, an int32 scalar.
        batch_size: number of images B of this replica.
        blocks: number of blocks N in one image.

    Returns:
        int32 tensor (B, N).
    """
    scores = _block_words(seed, step, batch_size, blocks)
    return ops.cast(ops.argsort(ops.argsort(scores, axis=-1), axis=-1), "int32")


def random_uniform(seed: int, step: Tensor | int, batch_size: Tensor | int, blocks: int) -> Tensor:
    """Draw a number for each block of each image: float32 (B, N), strictly between 0 and 1.

    Args:
        seed: the generator's seed, 0 ≤ seed < 2³¹.
        step: the training step, an int32 scalar.
        batch_size: number of images B of this replica.
        blocks: number of blocks N in one image.

    Returns:
        float32 tensor (B, N) of odd multiples of 2⁻²⁴.
    """
    return uniform_of(_block_words(seed, step, batch_size, blocks))


def uniform_of(words: Tensor) -> Tensor:
    """Make numbers strictly between 0 and 1 of hashed words: float32, odd multiples of 2⁻²⁴."""
    bits = ops.right_shift(words, 9) & (2**23 - 1)
    return (ops.cast(bits, "float32") + 0.5) * 2.0**-23


def _block_words(seed: int, step: Tensor | int, batch_size: Tensor | int, blocks: int) -> Tensor:
    """Hash each block of each image: int32 (B, N), all different within an image."""
    image = devices.first_example(batch_size) + ops.arange(batch_size, dtype="int32")
    image = ops.reshape(image, (-1, 1))
    block = ops.reshape(ops.arange(blocks, dtype="int32"), (1, -1))
    return hash_words([seed, step, image, block])
