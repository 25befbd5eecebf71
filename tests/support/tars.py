"""Tar archives, as Python's own module writes them."""

import io
import tarfile


def write_tar(path, members, **options):
    """Write an archive of pairs of a name and contents, and return its path."""
    with tarfile.open(path, "w", **options) as archive:
        for name, contents in members:
            member = tarfile.TarInfo(name)
            member.size = len(contents)
            archive.addfile(member, io.BytesIO(contents))
    return path
