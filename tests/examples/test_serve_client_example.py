"""examples/serve_client.py against an emulator that is strict on the documented messages."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from encoded_images import encoded
from serving_emulator import Grpc, Rest

pytestmark = pytest.mark.long

EXAMPLES = Path(__file__).parents[2] / "examples"


class Served:
    """What an export with two classes answers: as dark as an image is, so probable is "dark"."""

    def predict(self, image_bytes, signature=None):
        import tensorflow as tf

        for contents in image_bytes:
            if not contents.startswith(b"\x89PNG"):
                raise tf.errors.InvalidArgumentError(None, None, "not a JPEG or PNG image")
        light = np.array([tf.io.decode_png(c).numpy().mean() / 255 for c in image_bytes], "float32")
        if signature == "embed":
            return {"embedding": np.stack([light] * 5, axis=1)}
        return {
            "probabilities": np.stack([1 - light, light], axis=1),
            "classes": np.array([[b"dark", b"light"]] * len(light), object),
        }


class Segmented:
    """What an export of a segmenter answers: the image's own file as the class map."""

    def predict(self, image_bytes, signature=None):
        return {
            "class_map_bytes": np.array(image_bytes, object),
            "classes": np.array([[b"sea", "Küste".encode()]] * len(image_bytes), object),
        }


class Detected:
    """What an export of a detector answers: a cat, a dog that may be none, and padding."""

    def predict(self, image_bytes, signature=None):
        count = len(image_bytes)
        boxes = np.float32([[1, 2, 30.6, 40], [5, 6, 7, 8], [0, 0, 0, 0]])
        return {
            "boxes": np.tile(boxes, (count, 1, 1)),
            "scores": np.tile(np.float32([0.75, 0.25, 0]), (count, 1)),
            "labels": np.tile(np.int32([0, 1, -1]), (count, 1)),
            "names": np.array([[b"cat", b"dog", b""]] * count, object),
            "size": np.tile(np.int32([48, 64]), (count, 1)),
        }


SERVERS = {
    "rest": (Rest, {}, ()),
    "grpc": (Grpc, {"as_content": False}, ("--grpc",)),
    "grpc content": (Grpc, {"as_content": True}, ("--grpc",)),
}


def of(served):
    """An export on each of the servers."""
    return [(served, server) for server in SERVERS]


@pytest.fixture
def ask(request, monkeypatch, capsys, tmp_path):
    """A function that runs the client on files, and gives what it prints."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.delitem(sys.modules, "serve_client", raising=False)
    import serve_client

    for name, level in (("dark", 25), ("light", 204)):
        pixels = np.full((9, 7, 3), level, "uint8")
        (tmp_path / f"{name}.png").write_bytes(encoded(pixels, "PNG"))
    (tmp_path / "text.png").write_text("no image")
    served, server = request.param
    make, options, flags = SERVERS[server]

    with make(served(), "cells", 3, **options) as server:

        def run(*arguments):
            command = ["serve_client.py", *arguments, "--server", server.address, *flags]
            monkeypatch.setattr("sys.argv", list(map(str, command)))
            serve_client.main()
            return capsys.readouterr().out

        yield run


@pytest.mark.parametrize("ask", of(Served), indirect=True, ids=SERVERS)
def test_classes_and_embeddings_come_back(ask, tmp_path):
    files = [tmp_path / "dark.png", tmp_path / "light.png"]
    printed = ask(*files, "--model", "cells")
    assert printed.splitlines() == [
        f"{files[0]}: dark 0.9020, light 0.0980",
        f"{files[1]}: light 0.8000, dark 0.2000",
    ]
    printed = ask(*files, "--model", "cells", "--signature", "embed", "--version", 3)
    assert "light.png: embedding of 5 numbers: 0.8000 0.8000 0.8000 0.8000 …" in printed


@pytest.mark.parametrize("ask", of(Segmented), indirect=True, ids=SERVERS)
def test_class_maps_are_written(ask, tmp_path):
    files = [tmp_path / "dark.png", tmp_path / "light.png"]
    printed = ask(*files, "--model", "cells", "--output", tmp_path / "maps")
    for file, line in zip(files, printed.splitlines(), strict=True):
        written = tmp_path / "maps" / f"{file.stem}-classes.png"
        assert line == f"{file}: {written}, with 0 sea, 1 Küste"
        assert written.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("ask", of(Detected), indirect=True, ids=SERVERS)
def test_boxes_are_printed(ask, tmp_path):
    file = tmp_path / "dark.png"
    cat, dog = "  cat 0.7500 at 1, 2, 31, 40", "  dog 0.2500 at 5, 6, 7, 8"
    assert ask(file, "--model", "cells").splitlines() == [f"{file}: 64 × 48 pixels, 1 boxes", cat]
    assert ask(file, "--model", "cells", "--score", 0).splitlines()[1:] == [cat, dog]


@pytest.mark.parametrize("ask", of(Served), indirect=True, ids=SERVERS)
def test_errors_are_one_line(ask, tmp_path):
    for arguments, message in (
        ((tmp_path / "text.png", "--model", "cells"), "not a JPEG or PNG image"),
        ((tmp_path / "dark.png", "--model", "birds"), "Servable not found"),
        ((tmp_path / "dark.png", "--model", "cells", "--version", 2), "Servable not found"),
        ((tmp_path / "none.png", "--model", "cells"), "No such file"),
    ):
        with pytest.raises(SystemExit) as error:
            ask(*arguments)
        assert message in error.value.code
        assert re.fullmatch(r"localhost:\d+: [^\n]+", error.value.code)
    # The server lives on.
    assert "dark 0.9020" in ask(tmp_path / "dark.png", "--model", "cells")
