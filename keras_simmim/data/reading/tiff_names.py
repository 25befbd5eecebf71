"""Names that TIFF files have for their channels: those of OME and of GDAL."""

from typing import Any
from xml.etree import ElementTree

METADATA, NODATA = 42112, 42113  # GDAL's tags


def tiff_names(tiff: Any, series: Any) -> tuple[str, ...] | None:
    """Return the names of the channels of a series of pages, None where there are none.

    Args:
        tiff: a `tifffile.TiffFile`.
        series: one of its series.
    """
    try:
        if tiff.is_ome:
            return _of_ome(tiff.ome_metadata, list(tiff.series).index(series))
        stated = series.keyframe.tags.valueof(METADATA)
        return None if stated is None else _of_gdal(stated)
    except ElementTree.ParseError:
        return None


def _of_ome(metadata: str, number: int) -> tuple[str, ...] | None:
    images = [each for each in ElementTree.fromstring(metadata) if each.tag.endswith("}Image")]
    if number >= len(images):
        return None
    channels = images[number].iter()
    return _different([e.get("Name") for e in channels if e.tag.endswith("}Channel")])


def _of_gdal(metadata: str) -> tuple[str, ...] | None:
    items = [
        (int(item.get("sample", "0")), (item.text or "").strip())
        for item in ElementTree.fromstring(metadata.strip("\0 ")).iter("Item")
        if item.get("role") == "description" and item.get("sample", "0").isdecimal()
    ]
    names = dict(items)
    return _different([names.get(sample) for sample in range(len(names))])


def _different(names: list[str | None]) -> tuple[str, ...] | None:
    """Return names that all are there and differ, otherwise None."""
    found = tuple(name for name in names if name)
    return found if found and len(set(found)) == len(names) else None
