"""Record what the official SimMIM makes of tiny random models.

    git clone https://github.com/microsoft/SimMIM checkout
    python tests/checkpoints/golden/make_official.py checkout

Needs torch. The three things that the official code takes from timm are replaced by stand-ins.
"""

import json
import pathlib
import subprocess
import sys
import types
import zlib

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
VIT = {
    "img_size": 16,
    "patch_size": 4,
    "embed_dim": 16,
    "depth": 2,
    "num_heads": 4,
    "mlp_ratio": 2,
    "qkv_bias": True,
    "init_values": 0.1,
    "use_abs_pos_emb": False,
    "use_shared_rel_pos_bias": True,
    "use_mean_pooling": False,
}
SWIN = {
    "img_size": 64,
    "patch_size": 4,
    "embed_dim": 8,
    "depths": [2, 2, 2],
    "num_heads": [2, 4, 4],
    # The last stage has 4×4 positions: smaller than its window.
    "window_size": 8,
    "mlp_ratio": 2.0,
    "qkv_bias": True,
    "drop_path_rate": 0.0,
    "ape": False,
    "patch_norm": True,
}


def random_array(name, shape, scale=0.4):
    """The array that a name stands for, the same here and in the test."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    return (generator.normal(size=shape) * scale).astype("float32")


def example(side):
    """Pixels (2, side, side, 3) and a mask (2, side / 4, side / 4), 0.6 of each image."""
    generator = np.random.default_rng(0)
    pixels = generator.normal(size=(2, side, side, 3)).astype("float32")
    positions = (side // 4) ** 2
    ranks = generator.random((2, positions)).argsort().argsort()
    mask = (ranks < round(0.6 * positions)).astype("float32")
    return pixels, mask.reshape(2, side // 4, side // 4)


def import_official(checkout):
    """The official modules, with stand-ins for timm."""

    class DropPath(torch.nn.Identity):
        def __init__(self, rate):
            super().__init__()

    layers = types.ModuleType("timm.models.layers")
    layers.DropPath = DropPath
    layers.to_2tuple = lambda x: x if isinstance(x, tuple) else (x, x)
    layers.trunc_normal_ = torch.nn.init.trunc_normal_
    for name in ("timm", "timm.models"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["timm.models.layers"] = layers
    package = types.ModuleType("models")
    package.__path__ = [str(checkout / "models")]
    sys.modules["models"] = package
    import importlib

    return importlib.import_module("models.simmim")


def record(official, kind):
    """Loss, prediction and the norm of every gradient of a tiny random model."""
    if kind == "vit":
        epsilon = {"norm_layer": lambda width: torch.nn.LayerNorm(width, eps=1e-6)}
        encoder = official.VisionTransformerForSimMIM(num_classes=0, **VIT, **epsilon)
        stride, side = 4, VIT["img_size"]
    else:
        encoder = official.SwinTransformerForSimMIM(num_classes=0, **SWIN)
        stride, side = 16, SWIN["img_size"]
    model = official.SimMIM(encoder, stride).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(random_array(name, tuple(parameter.shape))))
    pixels, mask = example(side)
    images, hidden = torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()), torch.from_numpy(mask)
    loss = model(images, hidden)
    loss.backward()
    prediction = model.decoder(model.encoder(images, hidden))
    shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
    norms = {name: float(value.grad.norm()) for name, value in model.named_parameters()}
    return {
        "shapes": shapes,
        "loss": loss.item(),
        "gradient_norms": norms,
        "prediction": prediction.detach().numpy().transpose(0, 2, 3, 1),
    }


def main():
    checkout = pathlib.Path(sys.argv[1])
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    official = import_official(checkout)
    for kind in ("vit", "swin"):
        golden = record(official, kind)
        prediction = golden.pop("prediction")
        np.savez_compressed(HERE / f"official_{kind}.npz", prediction=prediction)
        text = json.dumps({"commit": commit, **golden}, indent=1)
        (HERE / f"official_{kind}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
