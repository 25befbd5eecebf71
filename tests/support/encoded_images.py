"""Arrays as image files."""

import io

from PIL import Image


def encoded(pixels, kind="JPEG", mode=None, **options):
    """An array as a file of that kind."""
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(file, kind, **options)
    return file.getvalue()
