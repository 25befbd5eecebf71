"""What all files of a data set have in common, found by a look at a few of them."""

import logging
from collections.abc import Iterator, Sequence

import numpy as np

from keras_simmim.data.reading.deep_files import LOOKED_AT, warn_of_dark, warn_of_shallow
from keras_simmim.data.reading.picture import Picture, UnfitError
from keras_simmim.data.reading.picture_reader import PERCENTILES, TYPE, WINDOW, PictureReader
from keras_simmim.data.tables.image_table import ImageTable

LOGGER = logging.getLogger("keras_simmim")
SAMPLE = 64  # files of which the percentiles are taken
VALUES = 2**16  # most of a file
BOUNDS = (0.5, 99.5)  # percentiles that become 0 and 255


def settle(
    reader: PictureReader, table: ImageTable, seed: int, pages: int | str | None
) -> tuple[float, float] | None:
    """Find how many channels there are and which values become 0 and 255, and log what is odd.

    Args:
        reader: of the files; it keeps what is found.
        table: of all files.
        seed: of the sample of the percentiles.
        pages: what was asked for of files of several pages, None if nothing was.

    Returns:
        The range of values that a model should know; None where there is none.

    Raises:
        ValueError: if the files that are looked at are intact, but are not fit for what was asked.
    """
    places = np.linspace(0, len(table) - 1, min(LOOKED_AT, len(table))).astype(int).tolist()
    looked_at = {table.name(place): each for place, each in _look(reader, table, places).items()}
    first = next(_intact(reader, table, range(len(table))), None)
    if first is not None:
        reader.decide(first)
    deep = {name: each for name, each in looked_at.items() if not each.is_display}
    _warn_of_pages(looked_at, pages)
    if reader.value_range is None:
        integers = {name: each for name, each in deep.items() if each.limits == (0.0, 65535.0)}
        warn_of_dark({name: int(each.pixels.max()) for name, each in integers.items()})
        return None
    if reader.value_range == WINDOW:
        return None
    if not deep:
        warn_of_shallow(reader.value_range, len(places))
        return None
    if reader.value_range == TYPE:
        _take_type(reader, deep)
    elif reader.value_range == PERCENTILES:
        chosen = np.random.default_rng(seed % 2**64).permutation(len(table))[:SAMPLE]
        reader.value_range = _percentiles(_intact(reader, table, sorted(chosen.tolist())))
    found = reader.value_range
    return found if isinstance(found, tuple) else None


def _look(reader: PictureReader, table: ImageTable, places: Sequence[int]) -> dict[int, Picture]:
    """Return the intact files among some, by their places.

    Raises:
        ValueError: if there are none, but some that are not fit for what was asked.
    """
    found: dict[int, Picture] = {}
    unfit: dict[int, UnfitError] = {}
    for place in places:
        try:
            contents = table.read(place)
            picture = reader.chosen(contents)
            if reader.value_range is None:
                reader.read(contents)
            found[place] = picture
        except UnfitError as error:
            unfit[place] = error
        except (ValueError, OSError):
            # Reported when it is read.
            continue
    if unfit and not found:
        place, reason = next(iter(unfit.items()))
        raise ValueError(f"{table.name(place)!r} {reason}.") from reason
    return found


def _intact(
    reader: PictureReader, table: ImageTable, places: Sequence[int] | range
) -> Iterator[Picture]:
    """Yield the intact files among some."""
    for place in places:
        try:
            yield reader.chosen(table.read(place))
        except (ValueError, OSError):
            continue


def _take_type(reader: PictureReader, deep: dict[str, Picture]) -> None:
    """Let the reader take the whole range of the first file's type."""
    name, first = next(iter(deep.items()))
    if first.limits is None:
        raise ValueError(
            f"value_range='dtype' needs integers, and {name!r} holds {first.pixels.dtype} values "
            "of no fixed range: give value_range=(low, high) or 'percentiles'."
        )
    reader.value_range = reader.limits = first.limits


def _percentiles(pictures: Iterator[Picture]) -> tuple[float, float]:
    """Return the percentiles of the values of pictures, each of which counts alike."""
    values = []
    for picture in pictures:
        if not picture.is_display:
            flat = picture.pixels.ravel()
            chosen = flat[np.linspace(0, flat.size - 1, min(VALUES, flat.size)).astype(int)]
            values.append(chosen[np.isfinite(chosen)].astype(np.float64))
    found = np.concatenate(values) if values else np.zeros(0)
    low, high = np.percentile(found, BOUNDS).tolist() if found.size else (0.0, 0.0)
    if not low < high:
        raise ValueError(
            f"value_range='percentiles' found no range in {len(values)} files, whose values are "
            f"all about {low:g}: give value_range=(low, high)."
        )
    return low, high


def _warn_of_pages(looked_at: dict[str, Picture], pages: int | str | None) -> None:
    """Log that files have more pages than are read, if nothing was said of pages."""
    several = {name: each.pages for name, each in looked_at.items() if each.pages > 1}
    if pages is None and several:
        name, count = next(iter(several.items()))
        LOGGER.warning(
            "%d of %d files looked at have several pages, of which the first is read, such as %r "
            "with %d: page=1 reads the second of each, page='all' makes channels of them.",
            len(several),
            len(looked_at),
            name,
            count,
        )
