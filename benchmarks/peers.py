"""How fast is a training step beside its peers', on the same machine in the same run?

python benchmarks/peers.py                            # three backends, each in its own process
python benchmarks/peers.py --backends jax --cases vit_tiny --rounds 20
python benchmarks/peers.py --official PATH            # also microsoft/SimMIM, from a checkout

ViT-Tiny/16 at 224², batch 16, Swin-T/4 at 192², window 6, batch 8, and the ViT that encodes a
quarter of the patches; blocks of 32 pixels (16 there); AdamW, float32. All take turns in one
process; medians, and the ratio to Hugging Face's step of the same network on torch. Its masks are
drawn before the clock starts, ours within the step. The share of the peak is that of products of
2048² matrices by torch, in the same turns. The official code's masks are drawn before, too.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

RESULTS = Path(__file__).parent / "results"
BACKENDS = ("tensorflow", "jax", "torch")
CASES = {"vit_tiny": (16, 224, 16), "swin_tiny": (8, 192, 4), "vit_tiny_visible": (16, 224, 16)}


def our_model(case):
    import keras_simmim as ks

    if case == "swin_tiny":
        return ks.SimMIM.from_preset("simmim_swin_tiny")
    backbone = ks.backbones.ViT((224, 224, 3), 16, 12, 3, 192, class_token=True)
    if case == "vit_tiny":
        return ks.presets.paper_simmim(backbone)
    return ks.SimMIM(backbone, ks.masking.SpatialMasking(0.75, 1), encode="visible")


def their_model(case):
    import transformers

    if case == "swin_tiny":
        return transformers.SwinForMaskedImageModeling(
            transformers.SwinConfig(
                image_size=192, window_size=6, encoder_stride=32, drop_path_rate=0.0
            )
        )
    return transformers.ViTForMaskedImageModeling(
        transformers.ViTConfig(
            hidden_size=192,
            num_hidden_layers=12,
            num_attention_heads=3,
            intermediate_size=768,
            encoder_stride=16,
        )
    )


def compiled(model, *batch):
    """A function that takes one step of a Keras model with our optimizer."""
    import keras

    import keras_simmim as ks

    jit_compile = keras.backend.backend() != "torch"
    optimizer = ks.training.SelectiveAdamW(1e-4, weight_decay=0.05, global_clipnorm=5.0)
    model.compile(optimizer, jit_compile=jit_compile)
    return partial(model.train_on_batch, *batch)


def their_step(model, images, patch, call):
    """A function that takes one step of a torch model."""
    import torch

    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 128 - 1
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, weight_decay=0.05)
    grid, block = pixels.shape[-1] // patch, 32 // patch
    blocks = torch.rand(len(pixels), grid // block, grid // block) < 0.6
    mask = blocks.repeat_interleave(block, 1).repeat_interleave(block, 2)
    model.train()

    def step():
        optimizer.zero_grad()
        call(model, pixels, mask).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()

    return step


def hugging_face(model, pixels, mask):
    return model(pixels, bool_masked_pos=mask.flatten(1)).loss


def official_model(path, case):
    """The official code's network of the same size; it needs timm or a stand-in on PYTHONPATH."""
    import torch

    sys.path.insert(0, path)
    from models import simmim, swin_transformer, vision_transformer

    common = {"in_chans": 3, "num_classes": 0, "drop_path_rate": 0.0}
    if case == "swin_tiny":
        encoder = simmim.SwinTransformerForSimMIM(
            img_size=192,
            patch_size=4,
            embed_dim=96,
            depths=[2, 2, 6, 2],
            num_heads=[3, 6, 12, 24],
            window_size=6,
            **common,
        )
        return simmim.SimMIM(encoder=encoder, encoder_stride=32)
    assert swin_transformer
    assert vision_transformer
    encoder = simmim.VisionTransformerForSimMIM(
        img_size=224,
        patch_size=16,
        embed_dim=192,
        depth=12,
        num_heads=3,
        mlp_ratio=4,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        init_values=0.1,
        use_abs_pos_emb=False,
        use_rel_pos_bias=False,
        use_shared_rel_pos_bias=True,
        use_mean_pooling=False,
        **common,
    )
    return simmim.SimMIM(encoder=encoder, encoder_stride=16)


def step_gigaflop():
    """Operations of the ViT's step: products alone, backward twice the forward pass."""
    tokens, width = 197, 192
    blocks = 12 * tokens * (12 * width**2 + 2 * tokens * width)
    embedding, head = 196 * 768 * width, 196 * 768 * width
    return 16 * 2 * (3 * blocks + 3 * head + 2 * embedding) / 1e9


def seconds(step):
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def run(case, rounds, official):
    """Times one case on this process's backend; returns a row."""
    import keras
    import numpy as np
    import torch

    batch, side, patch = CASES[case]
    images = np.random.default_rng(0).integers(0, 256, (batch, side, side, 3), dtype="uint8")
    matrices = torch.randn(2, 2048, 2048)
    steps = {
        "ours": compiled(our_model(case), images),
        "hugging_face": their_step(their_model(case), images, patch, hugging_face),
    }
    if case == "vit_tiny":
        steps["peak"] = lambda: torch.mm(matrices[0], matrices[1])
    if case == "vit_tiny_visible":
        from plain_keras import MaskedAutoencoder

        steps["plain_keras"] = compiled(MaskedAutoencoder(), images)
    elif official:
        model = official_model(official, case)
        steps["official"] = their_step(model, images, patch, lambda m, x, mask: m(x, mask.long()))
    times = {name: [] for name in steps}
    for step in (*steps.values(), *steps.values()):
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            times[name].append(seconds(step))
    medians = {name: statistics.median(values) for name, values in times.items()}
    row = {"case": case, "backend": keras.backend.backend(), "rounds": rounds}
    for name, value in medians.items():
        if name != "peak":
            row[f"{name}_images_per_second"] = round(batch / value, 2)
        if name not in ("peak", "ours"):
            row[f"ours_to_{name}"] = round(value / medians["ours"], 3)
    if "peak" in medians:
        peak = 2 * 2048**3 / 1e9 / medians["peak"]
        row["peak_gigaflop_per_second"] = round(peak)
        row["share_of_peak"] = round(step_gigaflop() / medians["ours"] / peak, 3)
        row["hugging_face_share_of_peak"] = round(
            step_gigaflop() / medians["hugging_face"] / peak, 3
        )
    return row


def in_own_processes(script, cases, backends, options):
    """Run each case on each backend in a process of its own, which prints a row; give the rows."""
    rows = []
    for case in cases:
        for backend in backends:
            command = [sys.executable, script, "--here", "--cases", case, *options]
            environment = {**os.environ, "KERAS_BACKEND": backend}
            output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
            rows.append(json.loads(output.stdout.splitlines()[-1]))
            print(rows[-1], flush=True)
    return rows


def table(rows):
    peers = ("hugging_face", "official", "plain_keras")
    lines = [
        "| case | backend | images/s | ÷ Hugging Face | ÷ official | ÷ plain Keras | of peak |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ratios = " | ".join(str(row.get(f"ours_to_{peer}", "")) for peer in peers)
        rate, share = row["ours_images_per_second"], row.get("share_of_peak", "")
        lines.append(f"| {row['case']} | {row['backend']} | {rate} | {ratios} | {share} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="timed steps of each")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--backends", nargs="+", default=list(BACKENDS), choices=BACKENDS)
    parser.add_argument("--official", help="a checkout of microsoft/SimMIM")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(run(options.cases[0], options.rounds, options.official)))
        return
    passed = ["--rounds", str(options.rounds)]
    passed += ["--official", options.official] if options.official else []
    rows = in_own_processes(__file__, options.cases, options.backends, passed)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "peers.json").write_text(json.dumps(rows, indent=2) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
