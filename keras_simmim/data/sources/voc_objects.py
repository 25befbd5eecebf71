"""The objects in one image, as an XML of Pascal VOC lists them."""

from typing import NamedTuple
from xml.etree import ElementTree

CORNERS = ("xmin", "ymin", "xmax", "ymax")


class VocObjects(NamedTuple):
    """Hold what an XML says of an image.

    Attributes:
        xml: path of the XML.
        filename: name of the image, "" if it is not stated.
        size: height and width of the image, 0 where they are not stated.
        names: of the objects.
        difficult: whether each is marked as difficult.
        boxes: (left, top, right, bottom) of each, in pixels counted from 0.
    """

    xml: str
    filename: str
    size: tuple[int, int]
    names: list[str]
    difficult: list[bool]
    boxes: list[tuple[float, float, float, float]]


def read_objects(path: str) -> VocObjects | None:
    """Read the objects that an XML lists.

    Args:
        path: of the XML.

    Returns:
        The objects, None if it is an XML of something else.

    Raises:
        ValueError: if it is damaged, or an object has no name or no box.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"the XML {path!r} is damaged: {error}.") from error
    if root.tag != "annotation":
        return None
    size = (_side(path, root, "height"), _side(path, root, "width"))
    # Windows' tools write whole paths.
    filename = _text(root, "filename").replace("\\", "/").rpartition("/")[2]
    result = VocObjects(path, filename, size, [], [], [])
    for number, found in enumerate(root.findall("object"), start=1):
        name, corners = _text(found, "name"), [_text(found, f"bndbox/{each}") for each in CORNERS]
        try:
            left, top, right, bottom = (float(corner) for corner in corners)
        except ValueError:
            name = ""
        if not name:
            raise ValueError(
                f"the XML {path!r} must give each object a name and a bndbox of numbers "
                f"{', '.join(CORNERS)}, which object {number} lacks."
            )
        result.names.append(name)
        result.difficult.append(_text(found, "difficult") == "1")
        result.boxes.append((left - 1, top - 1, right, bottom))
    return result


def _text(element: ElementTree.Element, place: str) -> str:
    """Return the text at a place in an element, "" if there is none."""
    return (element.findtext(place) or "").strip()


def _side(path: str, root: ElementTree.Element, name: str) -> int:
    """Return the height or width that is stated, 0 if it is not."""
    text = _text(root, f"size/{name}") or "0"
    if not text.isdecimal():
        raise ValueError(f"the XML {path!r} must state a whole number as {name}, got {text!r}.")
    return int(text)
