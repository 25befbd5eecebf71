"""Where JPEG, PNG and WebP files keep their EXIF data: in a segment or chunk among others.

Source: ITU-T T.81, annex B (JPEG); PNG, third edition, 11.3.3.6 (eXIf); RFC 9649, 2.7 (WebP).
"""

import tensorflow as tf

from keras_simmim.data.graphs import apart
from keras_simmim.data.reading.headers import header, starts_with
from keras_simmim.data.reading.orientation import exif_orientation

BLOCKS = 4096  # segments or chunks: PNGs of 32 MB in the chunks of 8 KB that libpng writes
HEAD = 14  # bytes: a WebP's chunk header, and the mark, which some writers put behind it
MARK = b"Exif\0\0"


def may_have_exif(contents: tf.Tensor, mark: str) -> tf.Tensor:
    """Return whether `mark` stands anywhere in a file, at a hundredth of the cost of decoding it.

    Args:
        contents: scalar string tensor, the bytes of the file.
        mark: "Exif" for a JPEG, "eXIf" for a PNG.
    """
    # Of the operations on strings this alone searches as fast as the C library does.
    without = tf.strings.regex_replace(contents, mark, "", replace_global=False)
    return tf.strings.length(without) < tf.strings.length(contents)


def webp_has_exif(head: tf.Tensor) -> tf.Tensor:
    """Return whether the header of a WebP, uint8, says that there is EXIF data."""
    return starts_with(head, b"WEBPVP8X", 8) & (tf.bitwise.bitwise_and(head[20], 8) > 0)


@apart(tf.TensorSpec((), tf.string))
def stated_orientation(contents: tf.Tensor) -> tf.Tensor:
    """Return the orientation, int32, 1 to 8, that a JPEG, PNG or WebP states, otherwise 1.

    Args:
        contents: scalar string tensor, the bytes of the file.
    """
    # Where cameras write it, at the start of a JPEG or behind its JFIF header, it is read at once.
    starts = tf.minimum([0, 6, 0, 20, 24], tf.strings.length(contents))
    marks = tf.strings.substr(contents, starts, [4, 6, 6, 2, 6])
    usual = [b"\xff\xd8\xff\xe1", MARK, b"\xff\xd8\xff\xe0\x00\x10", b"\xff\xe1", MARK]
    is_first, is_second = tf.reduce_all((marks == usual)[:2]), tf.reduce_all((marks == usual)[2:])
    exif = tf.cond(
        is_first | is_second,
        lambda: tf.strings.substr(contents, tf.where(is_first, 12, 30), 2**16),
        lambda: _search(contents),
    )
    return exif_orientation(exif)


@apart(tf.TensorSpec((), tf.string))
def _search(contents: tf.Tensor) -> tf.Tensor:
    """Return the EXIF data of a JPEG, PNG or WebP, which may be none."""
    head = header(contents)
    is_jpeg, is_png = starts_with(head, b"\xff\xd8"), starts_with(head, b"\x89PNG")
    size = tf.cast(tf.strings.length(contents), tf.int64)
    zero = tf.zeros((), tf.int64)

    def is_open(place: tf.Tensor, _: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        return (place < size) & (count <= 0)

    def look(place: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return the next place, and the start and number of the bytes of EXIF at this one."""
        first = tf.strings.substr(contents, place, HEAD)
        head = tf.cast(tf.io.decode_raw(first, tf.uint8, fixed_length=HEAD), tf.int64)
        blocks = [tf.stack(block) for block in (_segment(head), _png_chunk(head), _chunk(head))]
        block = tf.where(is_jpeg, blocks[0], tf.where(is_png, blocks[1], blocks[2]))
        return place + block[0], place + block[1], block[2]

    # Every step is positive, and one that leads out of the file ends the search.
    _, start, count = tf.while_loop(
        is_open,
        look,
        (tf.where(is_jpeg, zero + 2, tf.where(is_png, zero + 8, zero + 12)), zero, zero),
        maximum_iterations=BLOCKS,
    )
    return tf.strings.substr(contents, tf.minimum(start, size), tf.maximum(count, 0))


def _segment(head: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the size of a JPEG's segment, and the start and number of its bytes of EXIF."""
    kind, length = head[1], head[2] * 256 + head[3]
    # Between segments there may be fill bytes, and decoders forgive any others.
    is_filling = (head[0] != 0xFF) | (kind == 0xFF) | (kind == 0)
    is_exif = ~is_filling & (kind == 0xE1) & starts_with(head, MARK, 4)
    # Behind the start of the pixels (0xDA) there are no more segments.
    size = tf.where(kind == 0xDA, 2**40, 2 + tf.maximum(length, 2))
    size = tf.where(is_filling, tf.ones_like(size), size)
    return size, tf.constant(10, tf.int64), tf.where(is_exif, length - 8, tf.zeros_like(length))


def _png_chunk(head: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the size of a PNG's chunk, and the start and number of its bytes of EXIF."""
    length = tf.reduce_sum(head[:4] * [2**24, 2**16, 2**8, 1])
    size = tf.where(starts_with(head, b"IEND", 4), 2**40, 12 + length)
    count = tf.where(starts_with(head, b"eXIf", 4), length, tf.zeros_like(length))
    return size, tf.constant(8, tf.int64), count


def _chunk(head: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the size of a WebP's chunk, and the start and number of its bytes of EXIF."""
    length = tf.reduce_sum(head[4:8] * [1, 2**8, 2**16, 2**24])
    start = tf.where(starts_with(head, MARK, 8), 8 + len(MARK), 8)
    start = tf.cast(start, tf.int64)
    count = tf.where(starts_with(head, b"EXIF"), length + 8 - start, tf.zeros_like(length))
    return 8 + length + length % 2, start, count
