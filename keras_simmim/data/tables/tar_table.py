"""Images in tar archives."""

import os
from collections.abc import Sequence

import numpy as np

from keras_simmim.data.reading.formats import EXTENSIONS
from keras_simmim.data.tables.row_table import RowTable
from keras_simmim.data.tables.tar_index import TarIndex


class TarTable(RowTable):
    """Read images from archives, in which they lie as they are, by their places.

    Args:
        paths: of the archives.
        indexes: of the archives.
    """

    def __init__(self, paths: Sequence[str], indexes: Sequence[TarIndex]) -> None:
        self.paths = paths
        self.indexes = indexes
        self.stops = np.cumsum([len(index.starts) for index in indexes], dtype=np.int64)
        endings = {ending for index in indexes for ending in index.notes["endings"]}
        self.is_encoded = all(f".{ending}".endswith(EXTENSIONS) for ending in endings)

    def __len__(self) -> int:
        return int(self.stops[-1])

    def name(self, index: int) -> str:
        """Return the path of an archive and the name in it."""
        shard, row = self._place(index)
        return os.path.join(self.paths[shard], self.indexes[shard].name(row))

    def read(self, index: int) -> bytes:
        """Return the bytes of an image.

        Raises:
            OSError: if its archive is gone.
            ValueError: if the archive became shorter.
        """
        shard, row = self._place(index)
        size = int(self.indexes[shard].sizes[row])
        # Opened for each image: thousands of archives are more than a process may have open.
        file = os.open(self.paths[shard], os.O_RDONLY)
        try:
            contents = os.pread(file, size, int(self.indexes[shard].starts[row]))
        finally:
            os.close(file)
        if len(contents) < size:
            raise ValueError("the archive was cut off behind the image's start")
        return contents

    def _place(self, index: int) -> tuple[int, int]:
        """Return the number of an image's archive, and the image's number in it."""
        shard = int(np.searchsorted(self.stops, index, side="right"))
        return shard, index - (int(self.stops[shard - 1]) if shard else 0)
