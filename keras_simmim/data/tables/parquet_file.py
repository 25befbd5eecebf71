"""A parquet file with a column of images."""

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from keras_simmim.data import arguments

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


class RowGroup(NamedTuple):
    """Say which row group of a file it is, and which rows of the file it has."""

    number: int
    first: int
    rows: int


class ParquetFile:
    """Know the row groups and labels of a file, and read the images of one row group.

    Args:
        path: of the file.
        image: name of the column of images: of bytes, or a struct of "bytes" and maybe a "path".
        label: name of the column of labels, None for none.

    Raises:
        ValueError: if the file is damaged or no parquet, lacks a column, or one has another type.
    """

    def __init__(self, path: str, image: str, label: str | None) -> None:
        self.path = path
        labels, schema = [], None
        with _explained(), self._open() as file:
            self._metadata = file.metadata
            schema = file.schema_arrow
            if label is not None and label in schema.names:
                labels = file.read([label]).column(0).to_pylist()
        self._columns = _columns_of(schema, image)
        if label is not None and label not in schema.names:
            raise ValueError(_lacking(schema, label))
        self.groups = _row_groups(self._metadata)
        rows = self._metadata.num_rows
        self.labels = [None] * rows if label is None else labels
        if len(self.labels) != rows:
            raise ValueError(f"it is damaged: {len(labels)} labels for {rows} rows")
        self.class_names = _class_names(schema, label)

    def read(self, group: RowGroup) -> "pa.ChunkedArray":
        """Return the images of a row group.

        Raises:
            ValueError: if it cannot be read.
        """
        with _explained(), self._open(self._metadata) as file:
            column = file.read_row_group(group.number, self._columns).column(0)
        if len(column) != group.rows:
            raise ValueError(f"row group {group.number} is damaged")
        return column

    def _open(self, metadata: "pq.FileMetaData | None" = None) -> "pq.ParquetFile":
        import pyarrow.parquet as pq

        return pq.ParquetFile(self.path, metadata=metadata)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn whatever pyarrow raises into a ValueError of one line."""
    try:
        yield
    # On damaged files it raises errors of a dozen kinds.
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"it cannot be read: {lines[0].rstrip(' .')}") from error


def _lacking(schema: "pa.Schema", name: str) -> str:
    """Return the reason for a column that is not there."""
    return f"it has no column {name!r}, but {', '.join(map(repr, schema.names)) or 'none at all'}"


def _columns_of(schema: "pa.Schema", image: str) -> list[str]:
    """Return the names of what is read of the column of images.

    Raises:
        ValueError: if there is none, or it is of something else.
    """
    import pyarrow as pa

    if image not in schema.names:
        raise ValueError(_lacking(schema, image))
    kind = schema.field(image).type
    if pa.types.is_struct(kind):
        parts = [kind.field(place).name for place in range(kind.num_fields)]
        if "bytes" in parts and _is_bytes(kind.field("bytes").type):
            return [f"{image}.{part}" for part in ("bytes", "path") if part in parts]
    elif _is_bytes(kind):
        return [image]
    raise ValueError(
        f"its column {image!r} must be of bytes, or a struct with 'bytes', and is of {kind}"
    )


def _is_bytes(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    # Of nulls alone nobody knows the type.
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_null(kind)


def _row_groups(metadata: "pq.FileMetaData") -> list[RowGroup]:
    """Return the row groups of a file.

    Raises:
        ValueError: if what they say of their rows is not consistent.
    """
    groups, first = [], 0
    for number in range(metadata.num_row_groups):
        # Not what it says of its columns: pyarrow ends the process where that is damaged.
        rows = metadata.row_group(number).num_rows
        if rows < 0:
            raise ValueError(f"it is damaged: row group {number} states {rows} rows")
        if rows:
            groups.append(RowGroup(number, first, rows))
        first += rows
    if first != metadata.num_rows:
        raise ValueError(f"it is damaged: {first} rows in its groups, {metadata.num_rows} stated")
    return groups


def _class_names(schema: "pa.Schema", label: str | None) -> list[str] | None:
    """Return the names of the classes that Hugging Face's `datasets` wrote down, if it did."""
    stated = (schema.metadata or {}).get(b"huggingface")
    try:
        feature: Any = json.loads(stated or b"{}")["info"]["features"][label]
        return arguments.as_names("names", feature["names"])
    except (LookupError, TypeError, ValueError, RecursionError):
        return None
