"""How many floating-point operations a training step of `gpu.py` must take, by arithmetic."""


def step_flops(width, blocks, heads, side, patch, batch, encode="all"):
    """Operations of a step: products alone, the backward pass twice the forward pass.

    With N patches of P numbers (three colors), D the width, and n = N + 1 tokens where all are
    encoded, n = N/4 + 1 where a quarter is (the one is the class token):

        block(n, D) = n · (12 D² + 2 n D)    query, key, value 3 D², output D², perceptron 8 D²;
                                             scores and weighted values n D each
        embedding   = N · P · D              its backward pass has no gradient of the images
        head        = N · D · P              of all; of the visible ones (N/4) · D · d, then two
                                             blocks of N tokens of width d, then N · d · P

    A step is 2 · batch · (3 · L · block + 3 · head + 2 · embedding), 2 for a product and a sum.
    What a step computes a second time, to save memory, is no work in this sense.
    """
    patches, pixels = (side // patch) ** 2, 3 * patch**2

    def block(tokens, width):
        return tokens * (12 * width**2 + 2 * tokens * width)

    encoded = patches if encode == "all" else patches - int(0.75 * patches)
    encoder = blocks * block(encoded + 1, width)
    head = patches * width * pixels
    if encode == "visible":
        head_heads = max(width // 2 // 32, 1)
        narrow = width // 2 // head_heads * head_heads
        head = encoded * width * narrow + 2 * block(patches, narrow) + patches * narrow * pixels
    return 2 * batch * (3 * encoder + 3 * head + 2 * patches * pixels * width)
