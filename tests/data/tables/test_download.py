"""Files of a server are downloaded once, whole or not at all."""

import functools
import http.server
import threading
from pathlib import Path
from typing import ClassVar

import pytest

from keras_simmim.data.tables import download
from keras_simmim.data.tables.shard_paths import shard_paths

pytestmark = pytest.mark.any_backend


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; what is called "cut" states more than it gives, "busy" fails twice."""

    asked: ClassVar[list[str]] = []

    def do_GET(self):
        self.asked.append(self.path)
        if "cut" in self.path:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"x" * 100)
            self.close_connection = True
        elif "busy" in self.path and self.asked.count(self.path) < 3:
            self.send_error(503)
        elif "secret" in self.path:
            self.send_error(403)
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """The address of a folder of two files, and what was asked for."""
    folder = tmp_path / "served"
    folder.mkdir()
    for name in ("0.tar", "1.tar", "busy.tar"):
        (folder / name).write_bytes(name.encode() * 1000)
    monkeypatch.setattr(Handler, "asked", [])
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}", Handler.asked
        serving.shutdown()
        thread.join()


def test_a_range_of_addresses_is_downloaded_once(server, tmp_path):
    address, asked = server
    cache = tmp_path / "cache"
    for _ in range(2):
        paths = [Path(p) for p in shard_paths("paths", f"{address}/{{0..1}}.tar", str(cache))]
        assert [path.name for path in paths] == ["0.tar", "1.tar"]
        assert [path.read_bytes()[:5] for path in paths] == [b"0.tar", b"1.tar"]
    assert asked == ["/0.tar", "/1.tar"]
    # Of equal names behind other addresses each is a file of its own.
    other = shard_paths("paths", f"{address}/0.tar?version=2", str(cache))
    assert Path(other[0]).name == "0.tar"
    assert other[0] != str(paths[0])


def test_what_is_not_there_and_what_is_cut_off(server, tmp_path):
    address, asked = server
    with pytest.raises(FileNotFoundError, match=rf"nothing at '{address}/none.tar': .*404"):
        shard_paths("paths", f"{address}/none.tar", str(tmp_path / "cache"))
    with pytest.raises(OSError, match=r"cut.tar' could not be downloaded: 100 of 1000 bytes came"):
        shard_paths("paths", f"{address}/cut.tar", str(tmp_path / "cache"))
    with pytest.raises(OSError, match=r"secret.tar' could not be downloaded: .*403"):
        shard_paths("paths", f"{address}/secret.tar", str(tmp_path / "cache"))
    assert [asked.count(f"/{name}.tar") for name in ("none", "cut", "secret")] == [1, 3, 1]
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_server_that_is_busy_is_asked_again(server, tmp_path):
    address, asked = server
    [path] = shard_paths("paths", f"{address}/busy.tar", str(tmp_path / "cache"))
    assert Path(path).read_bytes() == b"busy.tar" * 1000
    assert len(asked) == 3
