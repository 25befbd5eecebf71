"""Pictures side by side, in rows that may have names."""

from collections.abc import Iterable, Sequence

import numpy as np

from keras_simmim.evaluation.rgb_pictures import Shown, chosen_channels

GAP = 4  # pixels between two pictures
_SMALLEST, _LARGEST = 10, 16  # pixels, of the names
_WIDTH = 0.6  # of a letter, as a share of its size: wide enough for the default font


def lay_out(
    rows: Iterable[Iterable[np.ndarray]],
    scale: int = 1,
    names: Sequence[str] = (),
    titles: Sequence[str] = (),
    shown_channels: Shown = None,
) -> np.ndarray:
    """Lay pictures out in rows with gaps between them, as one picture on white.

    Args:
        rows: of pictures (H, W, C) of 0–255; those of a row have one height, and all rows one
            width.
        scale: enlargement, a whole number of pixels for each.
        names: of the rows, written on their left; none if empty.
        titles: of the columns, written above, each as far as the next that is not empty; none if
            there are none.
        shown_channels: numbers of the channels to show; see `rgb_pictures`.

    Returns:
        uint8 array (height, width, 1 or 3). Between pictures there are `GAP` pixels, and the last
        ones end at its edges.

    Raises:
        ValueError: for another number of names than of rows, or channels that there are not.

    Example:
    ```python
    import numpy as np
    from keras_simmim.evaluation.lay_out import lay_out

    pictures = np.zeros((3, 4, 2, 3), "uint8")
    lay_out([pictures, pictures], scale=2).shape   # (20, 20, 3)
    lay_out([pictures, pictures], names=["before", "after"]).shape   # (12, 54, 3)
    ```
    """
    pictures = [[_enlarged(picture, scale, shown_channels) for picture in row] for row in rows]
    if names and len(names) != len(pictures):
        raise ValueError(f"names must be {len(pictures)}, one for each row, got {list(names)!r}.")
    size = min(max(pictures[0][0].shape[0] // 8, _SMALLEST), _LARGEST)
    left = round(_WIDTH * size * max(map(len, names))) + GAP if names else 0
    top = round(1.2 * size) + GAP if titles else 0
    width = left - GAP + sum(picture.shape[1] + GAP for picture in pictures[0])
    height = top - GAP + sum(row[0].shape[0] + GAP for row in pictures)
    sheet = np.full((height, width, pictures[0][0].shape[-1]), 255, "uint8")
    if titles:
        column = left
        for title, picture in zip(titles, pictures[0], strict=True):
            if title:
                _write(sheet[: top - GAP, column:], title, size)
            column += picture.shape[1] + GAP
    for index, row in enumerate(pictures):
        column, bottom = left, top + row[0].shape[0]
        if names:
            _write(sheet[top:bottom, : left - GAP], names[index], size)
        for picture in row:
            sheet[top:bottom, column : column + picture.shape[1]] = picture
            column += picture.shape[1] + GAP
        top = bottom + GAP
    return sheet


def _enlarged(picture: np.ndarray, scale: int, shown_channels: Shown) -> np.ndarray:
    shown = chosen_channels(picture, shown_channels)
    return shown.repeat(scale, axis=0).repeat(scale, axis=1)


def _write(place: np.ndarray, text: str, size: int) -> None:
    """Write black text into a white place, in the middle of its height."""
    from PIL import Image, ImageDraw, ImageFont

    height, width, _ = place.shape
    paper = Image.new("L", (width, height), 255)
    font = ImageFont.load_default(size)
    ImageDraw.Draw(paper).text((0, height / 2), text, fill=0, font=font, anchor="lm")
    place[:] = np.asarray(paper)[..., None]
