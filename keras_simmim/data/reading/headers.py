"""The number of pixels that an image file states in its first bytes, read before it is decoded.

Source: the specifications of PNG (IHDR), GIF (logical screen), BMP (BITMAPINFOHEADER) and WebP
(VP8, VP8L and VP8X chunks).
"""

import tensorflow as tf

HEADER = 34  # bytes


def stated_pixels(head: tf.Tensor) -> tf.Tensor:
    """Return the int64 product of height and width of a PNG, GIF, BMP or WebP, otherwise 0.

    Args:
        head: what `header` returns.
    """
    numbers = tf.cast(head, tf.int64)

    def little(start: int, count: int) -> tf.Tensor:
        return tf.reduce_sum(
            numbers[start : start + count] * [256**power for power in range(count)]
        )

    def big(start: int) -> tf.Tensor:
        return tf.reduce_sum(numbers[start : start + 4] * [256**power for power in (3, 2, 1, 0)])

    bits = little(21, 4)
    height = little(22, 4)  # of a BMP, negative where its rows go downwards
    height = tf.where(height < 2**31, height, 2**32 - height)
    sizes = (
        (starts_with(head, b"\x89PNG"), big(16) * big(20)),
        (starts_with(head, b"GIF8"), little(6, 2) * little(8, 2)),
        (starts_with(head, b"BM"), little(18, 4) * height),
        (starts_with(head, b"WEBPVP8 ", 8), little(26, 2) % 2**14 * (little(28, 2) % 2**14)),
        (starts_with(head, b"WEBPVP8L", 8), (bits % 2**14 + 1) * (bits // 2**14 % 2**14 + 1)),
        (starts_with(head, b"WEBPVP8X", 8), (little(24, 3) + 1) * (little(27, 3) + 1)),
    )
    return tf.add_n([tf.where(is_kind, size, 0) for is_kind, size in sizes])


def header(contents: tf.Tensor) -> tf.Tensor:
    """Return the first bytes of a file, uint8 (`HEADER`,), zeros where it is shorter."""
    first = tf.strings.substr(contents, 0, HEADER)
    return tf.io.decode_raw(first, tf.uint8, fixed_length=HEADER)


def starts_with(head: tf.Tensor, text: bytes, start: int = 0) -> tf.Tensor:
    """Return whether `text` stands at `start` of a header, a scalar bool."""
    return tf.reduce_all(head[start : start + len(text)] == list(text))
