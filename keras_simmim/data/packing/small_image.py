"""An encoded image, made smaller and encoded anew."""

import io

import tensorflow as tf
from PIL import Image

from keras_simmim.data.packing.whole_reader import WholeReader
from keras_simmim.data.reading.exif import stated_orientation

# What turns an image of each orientation of EXIF upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
GAP = 2.0  # times as large as it is to be is a JPEG at least when it is decoded


def small_image(
    contents: bytes, size: int, reader: WholeReader, *, quality: int, lossless: bool
) -> tuple[bytes, str] | None:
    """Resize an image so that its shorter side is of a size.

    A large JPEG is decoded at a half, a quarter or an eighth of its size, as Pillow's `thumbnail`
    does it. Then Pillow's Lanczos filter resizes what the reader sees: turned as EXIF says, alpha
    dropped, 16 bits scaled to 8.

    Args:
        contents: of the file.
        size: of the shorter side, in pixels.
        reader: of the contents of files.
        quality: of a JPEG, 1 to 95.
        lossless: whether to write a PNG instead.

    Returns:
        The contents of a new file and its ending; None for an image that is small enough.

    Raises:
        tf.errors.OpError: if the image is broken.
    """
    image = None
    if contents.startswith(b"\xff\xd8\xff"):
        height, width = reader.shape(contents)
        if min(height, width) > size:
            image = _reduced(contents, height * width, size)
    if image is None:
        image = Image.fromarray(reader.pixels(contents))
    if min(image.size) <= size:
        return None
    ratio = size / min(image.size)
    target = [max(size, round(side * ratio)) for side in image.size]
    image = image.resize((target[0], target[1]), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    if lossless:
        image.save(file, "PNG")
    else:
        image.save(file, "JPEG", quality=quality)
    return file.getvalue(), "png" if lossless else "jpg"


def _reduced(contents: bytes, pixels: int, size: int) -> Image.Image | None:
    """Return a large JPEG, decoded at a part of its size and upright.

    None if Pillow cannot read it, or warns of so many pixels: then it is the reader's.
    """
    if Image.MAX_IMAGE_PIXELS is not None and pixels > Image.MAX_IMAGE_PIXELS:
        return None
    least = round(GAP * size)
    turn = int(stated_orientation(tf.constant(contents))) if b"Exif" in contents else 1
    try:
        with Image.open(io.BytesIO(contents)) as file:
            file.draft(None, (least, least))
            image = file if file.mode == "L" else file.convert("RGB")
            image.load()
    # On damaged files Pillow raises errors of a dozen kinds.
    except Exception:
        return None
    return image.transpose(TURNS[turn]) if turn in TURNS else image
