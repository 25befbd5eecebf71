"""A tar shard that is there whole or not at all."""

import io
import os
import tarfile


class ShardWriter:
    """Write images and labels into one shard after the other.

    A shard that is being written has a hidden name that ends with ".part", and gets its own when it
    is whole and on the disk. Equal images give equal bytes.

    Args:
        folder: of the shards.
        images: most images of a shard.
        size: bytes after which a shard is full; None for any number.
        number: of the first shard.
    """

    def __init__(self, folder: str, images: int | None, size: int | None, number: int) -> None:
        self.folder = folder
        self.images = images
        self.size = size
        self.number = number
        self.count = 0
        self._tar: tarfile.TarFile | None = None
        self._file: io.BufferedWriter | None = None

    @property
    def is_full(self) -> bool:
        """Return whether the next image belongs into the next shard."""
        too_many = self.images is not None and self.count >= self.images
        size = self._file.tell() if self._file is not None else 0
        return too_many or (self.size is not None and size >= self.size)

    def add(self, name: str, contents: bytes, label: int | None) -> None:
        """Add an image, and its label if it has one.

        Args:
            name: of the image's file, with its ending.
            contents: of that file.
            label: number of the class.
        """
        if self._tar is None:
            # `finish` or `drop` close them.
            self._file = open(self._aside, "wb")  # noqa: SIM115
            self._tar = tarfile.TarFile(fileobj=self._file, mode="w")
        self._add(name, contents)
        if label is not None:
            self._add(f"{name.rpartition('.')[0]}.cls", b"%d" % label)
        self.count += 1

    def finish(self) -> tuple[str, int] | None:
        """Put a shard into its place; what is added next is of the next one.

        Returns:
            Its name and the number of its images; None if it has none, and so is not there.
        """
        if self._tar is None or self._file is None:
            return None
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        name, count = f"shard-{self.number:05d}.tar", self.count
        os.replace(self._aside, os.path.join(self.folder, name))
        self._tar = self._file = None
        self.number, self.count = self.number + 1, 0
        return name, count

    def drop(self) -> None:
        """Remove a shard that is not finished."""
        if self._file is not None:
            self._file.close()
            os.unlink(self._aside)

    @property
    def _aside(self) -> str:
        return os.path.join(self.folder, f".shard-{self.number:05d}.tar.part")

    def _add(self, name: str, contents: bytes) -> None:
        """Add a file that tells nothing of when and by whom it was written."""
        assert self._tar is not None
        member = tarfile.TarInfo(name)
        member.size = len(contents)
        self._tar.addfile(member, io.BytesIO(contents))
