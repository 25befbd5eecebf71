"""The command as a user types it: pretrain, Ctrl-C, go on, embed, fine-tune, export, report."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import keras_simmim as ks

pytestmark = [pytest.mark.long, pytest.mark.turned(2)]

# As pip makes it of [project.scripts].
SCRIPT = f"""#!{sys.executable}
import sys
from keras_simmim.command import main
sys.exit(main())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with images of two classes, two of them broken, and the command in bin/."""
    folder = tmp_path_factory.mktemp("home")
    generator = np.random.default_rng(0)
    for name, low in (("dark", 0), ("light ü", 128)):
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(10):
            pixels = generator.integers(low, low + 128, (24, 32, 3), dtype="uint8")
            Image.fromarray(pixels).save(folder / "photos" / name / f"IMG {number}.jpg")
    whole = (folder / "photos/dark/IMG 0.jpg").read_bytes()
    (folder / "photos/dark/half.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "photos/dark/notes.txt").write_text("no image")
    script = folder / "bin" / "keras-simmim"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    script.chmod(0o755)
    return folder


@pytest.fixture
def command(folder):
    """Run the command, which must end with this code; what it wrote, and its errors."""
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(ks.__file__).parents[1]),
        "KERAS_BACKEND": keras.backend.backend(),
    }

    def run(line, code=0, stop=None, at=None):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        errors, lines = [], []
        with subprocess.Popen(shlex.split(line), cwd=folder, env=environment, **pipes) as process:
            reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
            reader.start()
            for text in process.stdout:
                lines.append(text)
                if at is not None and re.match(at, text):
                    process.send_signal(stop)
                    at = None
            reader.join()
        output = "".join(lines)
        assert process.returncode == code, output + errors[0]
        return output, errors[0]

    return run


def test_from_photos_to_a_server(folder, command):
    pretrain = "keras-simmim pretrain --data photos --output runs/first --epochs 6 --image-size 16"
    backend = keras.backend.backend()
    output, errors = command(pretrain, code=130, stop=signal.SIGINT, at="epoch 2/6")
    assert output.startswith(f"Backend: {backend}, by KERAS_BACKEND, on ")
    # What the frameworks say of themselves is left out, and what the library says is said once.
    assert errors.count("half.jpg") == 1
    assert not re.search(r"Improper call|cudart|oneDNN|Warning", errors)
    assert "Stopping after this step" in errors
    first, line = errors.splitlines()[-2:]
    assert first == "Stopped; runs/first keeps what was learned. To go on, type:"
    assert line == f"  KERAS_BACKEND={backend} {pretrain}"
    done = ks.pretraining.Run.epochs_of(folder / "runs/first")
    assert 2 <= done < 6

    output, _ = command(pretrain, code=128 + 15, stop=signal.SIGTERM, at=f"epoch {done + 1}/6")
    assert f"Going on with runs/first after epoch {done}, batch 0." in output
    output, _ = command(pretrain)
    assert "Finished. Look at runs/first/report.html" in output
    steps = (folder / "runs/first/losses.csv").read_text().splitlines()[1:]
    assert [int(step.partition(",")[0]) for step in steps] == list(range(6))
    output, _ = command(pretrain)
    assert "runs/first is finished, with 6 epochs. --epochs 12 trains it on" in output
    output, _ = command(f"{pretrain} --overwrite")
    assert "epoch 1/6" in output

    output, errors = command("keras-simmim embed --model runs/first --data photos --output e.npy")
    assert np.load(folder / "e.npy").shape == (20, 128)
    names = (folder / "e.txt").read_text().splitlines()
    assert len(names) == 20
    assert "half.jpg" in errors
    assert "dark/half.jpg" not in names

    finetune = "keras-simmim finetune --model runs/first --data photos --output runs/c --epochs 8"
    _, errors = command(finetune, code=130, stop=signal.SIGINT, at="epoch 2/8")
    assert errors.endswith(f"type:\n  KERAS_BACKEND={backend} {finetune}\n")
    output, _ = command(finetune)
    assert "Going on with runs/c after epoch" in output
    summary = json.loads((folder / "runs/c/summary.json").read_text())
    assert summary["classes"] == ["dark", "light ü"]
    output, _ = command("keras-simmim evaluate --model runs/c --data photos --output v.json")
    scores = json.loads((folder / "v.json").read_text())["classifier"]
    # The same images are held out, so that the figure is the same.
    assert scores["accuracy"] == summary["accuracy"]

    command("keras-simmim export --model runs/c --output models/c")
    answer = ks.export.ServedModel(folder / "models/c/1").predict(
        [(folder / "photos/dark/IMG 1.jpg").read_bytes()]
    )
    assert answer["classes"].tolist() == [[b"dark", "light ü".encode()]]
    assert "accuracy" in (folder / "models/c/1/README.md").read_text()
    (folder / "runs/c/report.html").unlink()
    output, _ = command("keras-simmim report runs/c")
    assert output == "runs/c/report.html\n"
    assert (folder / "runs/c/report.html").exists()
    output, errors = command("keras-simmim doctor")
    assert f"Backend: {backend}" in output
    assert not errors


def test_segmenters_and_detectors_by_the_module(folder, command):
    module = f"{shlex.quote(sys.executable)} -m keras_simmim"
    listed = {"images": [], "categories": [{"id": 1, "name": "square"}], "annotations": []}
    for number in range(10):
        pixels = np.full((24, 32, 3), 40, "uint8")
        left = number * 2
        pixels[8:16, left : left + 8] = 220
        for name, values in (("images", pixels), ("masks", (pixels[..., 0] > 100) * 1)):
            (folder / "squares" / name).mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(values.astype("uint8"))
            picture.save(folder / "squares" / name / f"{number}.png")
        image = {"id": number, "file_name": f"{number}.png", "height": 24, "width": 32}
        listed["images"].append(image)
        box = {"id": number, "image_id": number, "category_id": 1, "bbox": [left, 8, 8, 8]}
        listed["annotations"].append(box)
    (folder / "squares/boxes.json").write_text(json.dumps(listed))
    backbone = ks.backbones.ViT((16, 16, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 1)).save(folder / "tiny.keras")
    common = f"--model {folder}/tiny.keras --data squares/images --epochs 2 --seed 1"

    output, _ = command(f"{module} segment {common} --masks squares/masks --output runs/s")
    assert "The masks hold the classes 0 to 1." in output
    assert "the mean IoU is" in output
    command(f"{module} segment --model runs/s --data squares/images --output found/masks")
    assert len(list((folder / "found/masks").glob("*.png"))) == 10
    output, _ = command(f"{module} detect {common} --boxes squares/boxes.json --output runs/d")
    assert "the mAP50 is" in output
    output, _ = command(
        f"{module} detect {common} --boxes squares/boxes.json --output runs/d --epochs 3"
    )
    assert "Going on with runs/d after epoch 2" in output
    found = f"{module} detect --model runs/d --data squares/images --output found/boxes.json"
    command(f"{found} --score 0")
    listed = json.loads((folder / "found/boxes.json").read_text())
    assert listed["categories"] == [{"id": 0, "name": "square"}]
    assert len(listed["images"]) == 10
    _, errors = command(f"{module} pretrain --data squares --output runs/s", code=1)
    assert errors.startswith("keras-simmim: --output runs/s: holds a run of segment;")
