"""Images in a data set of Hugging Face's `datasets`."""

from typing import Any

from keras_simmim.data.tables.row_table import RowTable


class HuggingFaceTable(RowTable):
    """Read images from the rows of a data set, which has them in memory or maps them from a disk.

    Args:
        dataset: of which the column holds bytes, or dictionaries of "bytes" and "path".
        image: name of the column.
    """

    def __init__(self, dataset: Any, image: str) -> None:
        self.dataset = dataset
        self.image = image

    def __len__(self) -> int:
        return len(self.dataset)

    def name(self, index: int) -> str:
        """Return the number of a row."""
        return f"row {index}"

    def read(self, index: int) -> bytes:
        """Return the bytes of an image, of which some data sets hold the path alone.

        Raises:
            OSError: if there is no such file.
            ValueError: if there is neither.
        """
        value = self.dataset[index][self.image]
        if not isinstance(value, dict):
            value = {"bytes": value}
        if value["bytes"] is not None:
            return value["bytes"]
        if value.get("path") is None:
            raise ValueError("the row holds no bytes")
        with open(value["path"], "rb") as file:
            return file.read()
