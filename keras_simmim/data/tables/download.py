"""Files behind addresses of http, downloaded once."""

import hashlib
import http.client
import logging
import os
import tempfile
import time
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

LOGGER = logging.getLogger("keras_simmim")
TRIES = 3
TIMEOUT = 60  # seconds without a byte
CHUNK = 2**20  # bytes


def is_address(text: str) -> bool:
    """Return whether a text is an address of http or https."""
    return text.startswith(("http://", "https://"))


def downloaded(address: str, folder: str) -> str:
    """Return the path of the file behind an address, which is downloaded if it is not there yet.

    A file is there whole or not at all, and is not asked for again.

    Args:
        address: of http or https.
        folder: of all downloads.

    Raises:
        FileNotFoundError: if there is nothing at the address.
        OSError: if it cannot be downloaded in three tries.
    """
    digest = hashlib.sha256(address.encode()).hexdigest()[:24]
    name = os.path.basename(urlsplit(address).path) or "file"
    place = os.path.join(folder, "downloads", digest, name)
    if os.path.exists(place):
        return place
    os.makedirs(os.path.dirname(place), exist_ok=True)
    for attempt in range(1, TRIES + 1):
        try:
            _download(address, place)
            break
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, HTTPError) and error.code in (404, 410):
                raise FileNotFoundError(f"there is nothing at {address!r}: {error}.") from error
            if attempt == TRIES or (isinstance(error, HTTPError) and error.code < 500):
                raise OSError(f"{address!r} could not be downloaded: {error}.") from error
            time.sleep(attempt)
    LOGGER.info("Downloaded %r to %r.", address, place)
    return place


def _download(address: str, place: str) -> None:
    """Download a file beside its place, and move it there when it is whole."""
    aside, written = tempfile.mkstemp(dir=os.path.dirname(place), suffix=".part")
    try:
        with os.fdopen(aside, "wb") as file, urlopen(address, timeout=TIMEOUT) as response:
            stated = response.headers.get("Content-Length")
            while chunk := response.read(CHUNK):
                file.write(chunk)
            size = file.tell()
            file.flush()
            os.fsync(file.fileno())
        if stated is not None and size != int(stated):
            raise OSError(f"{size} of {stated} bytes came")
        os.replace(written, place)
    except BaseException:
        os.unlink(written)
        raise
