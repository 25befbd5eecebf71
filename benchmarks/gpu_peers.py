"""Hugging Face's masked image modeling on an accelerator, for `gpu.py` to time beside."""

import importlib.util


def hugging_face_steps(sizes, images):
    """Functions that take a step of a network of these sizes: as it is, and compiled.

    bfloat16 by autocast, torch's fused AdamW, its own choice of attention; masks and normalized
    pixels lie on the device before the clock starts. None without transformers.
    """
    if importlib.util.find_spec("transformers") is None:
        print("transformers is not installed: no peers")
        return {}
    import torch
    import transformers
    from keras.src.backend.torch.core import get_device

    width, blocks, heads, side, patch, _ = sizes
    device = torch.device(get_device())
    pixels = torch.as_tensor(images, device=device).permute(0, 3, 1, 2).float() / 128 - 1
    coarse = torch.rand(len(images), side // patch // 2, side // patch // 2, device=device) < 0.75
    mask = coarse.repeat_interleave(2, 1).repeat_interleave(2, 2).flatten(1)

    def step_of(compiled):
        network = transformers.ViTForMaskedImageModeling(
            transformers.ViTConfig(
                image_size=side,
                patch_size=patch,
                encoder_stride=patch,
                hidden_size=width,
                num_hidden_layers=blocks,
                num_attention_heads=heads,
                intermediate_size=4 * width,
            )
        ).to(device)
        network.train()
        fused = device.type == "cuda"
        optimizer = torch.optim.AdamW(network.parameters(), 1e-4, weight_decay=0.05, fused=fused)
        call = torch.compile(network) if compiled else network

        def step():
            optimizer.zero_grad()
            with torch.autocast(device.type, torch.bfloat16):
                loss = call(pixels, bool_masked_pos=mask).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()

        return step

    return {"hugging_face": step_of(False), "hugging_face_compiled": step_of(True)}
