"""Images in columns of parquet files."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_simmim.data.tables.parquet_file import ParquetFile
from keras_simmim.data.tables.row_table import RowTable

if TYPE_CHECKING:
    import pyarrow as pa


class ParquetTable(RowTable):
    """Read images from row groups, of which as many as fit into a limit are kept in memory.

    Parquet encodes a column of a row group as one, so that for one image all of them are read.

    Args:
        files: of the images.
        cache_bytes: of row groups that are kept; the one that was read last is, whatever its size.
    """

    def __init__(self, files: Sequence[ParquetFile], cache_bytes: int) -> None:
        self.cache_bytes = cache_bytes
        self.groups = [(file, group) for file in files for group in file.groups]
        self.stops = np.cumsum([group.rows for _, group in self.groups], dtype=np.int64)
        self._kept: OrderedDict[int, pa.ChunkedArray] = OrderedDict()
        # One at a time: threads that each read a group would need the memory of as many.
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return int(self.stops[-1])

    def name(self, index: int) -> str:
        """Return the path of a file and the number of the row in it."""
        place, row = self._place(index)
        file, group = self.groups[place]
        return f"{file.path}/row {group.first + row}"

    def read(self, index: int) -> bytes:
        """Return the bytes of an image.

        Raises:
            ValueError: if its row group cannot be read, or the row holds no bytes.
        """
        place, row = self._place(index)
        value = self._column(place)[row].as_py()
        contents = value.get("bytes") if isinstance(value, dict) else value
        if contents is None:
            path = value.get("path") if isinstance(value, dict) else None
            raise ValueError(
                "the row holds no bytes" + (f", but the path {path!r}" if path else "")
            )
        return contents

    def _place(self, index: int) -> tuple[int, int]:
        """Return the place of an image's row group in `groups`, and the row in the group."""
        place = int(np.searchsorted(self.stops, index, side="right"))
        return place, index - (int(self.stops[place - 1]) if place else 0)

    def _column(self, place: int) -> "pa.ChunkedArray":
        """Return the images of a row group."""
        with self._lock:
            column = self._kept.pop(place, None)
            if column is None:
                file, group = self.groups[place]
                column = file.read(group)
            self._kept[place] = column
            while len(self._kept) > 1 and self._size() > self.cache_bytes:
                self._kept.popitem(last=False)
            return column

    def _size(self) -> int:
        """Return the bytes that are kept."""
        return sum(column.nbytes for column in self._kept.values())
