"""Writes the fixture that tests/models/unet compares the C++ UNet with.

    python tests/parity/unet.py            # the small committed fixture
    python tests/parity/unet.py --full F   # the default generator's size, to F;
                                           # then UNET_FIXTURE=F tests/unet_test

The peer is diffusers' UNet2DModel with every parameter drawn anew, norms and
biases too: from N(0, 0.4) in the small one, since at 0.05 so narrow a network
hardly hears its inner layers, and from N(0, 0.05) in the full one.
Keys: param.NAME, grad.NAME (of mean(output^2), a few), input.*, output, and
the config as JSON in the metadata.
"""

import argparse
import json
import pathlib

import torch
from diffusers import UNet2DModel
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent

TINY = dict(in_channels=3, out_channels=2, block_out_channels=[4, 8],
            attention=[False, True], layers_per_block=1, attention_head_dim=4,
            norm_num_groups=2, norm_eps=1e-5, flip_sin_to_cos=True,
            freq_shift=0, num_class_embeds=3)
FULL = dict(in_channels=8, out_channels=4, block_out_channels=[32, 64, 96, 128],
            attention=[False, False, True, True], layers_per_block=1,
            attention_head_dim=32, norm_num_groups=8, norm_eps=1e-5,
            flip_sin_to_cos=True, freq_shift=0, num_class_embeds=7)


def peer(config):
    attention = config["attention"]
    return UNet2DModel(
        down_block_types=["AttnDownBlock2D" if a else "DownBlock2D" for a in attention],
        up_block_types=["AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attention)],
        **{k: v for k, v in config.items() if k != "attention"})


def upsample_to_fit(model, height, width):
    """Lets the peer take odd sizes as UNet2DConditionModel does: each upsampler
    is told the size of the feature map it has to meet."""
    sizes = [(height, width)]
    for _ in model.up_blocks[2:]:
        sizes.append(tuple((s + 1) // 2 for s in sizes[-1]))
    for block, size in zip(model.up_blocks, reversed(sizes)):
        upsampler = block.upsamplers[0]
        # The block's own second argument, its size, is None.
        upsampler.forward = lambda x, *_, f=upsampler.forward, s=size: f(x, s)


def fixture(config, height, width, deviation):
    torch.manual_seed(0)
    model = peer(config)
    upsample_to_fit(model, height, width)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0, deviation)
    sample = torch.randn(4, config["in_channels"], height, width)
    timesteps = torch.tensor([0, 1, 500, 999])
    class_ids = torch.arange(4) % config["num_class_embeds"]
    output = model(sample, timesteps, class_labels=class_ids).sample
    output.square().mean().backward()
    tensors = {"input.sample": sample, "input.timesteps": timesteps,
               "input.class_ids": class_ids, "output": output.detach()}
    for name, parameter in model.named_parameters():
        tensors["param." + name] = parameter.detach()
        if parameter.numel() <= 64:
            tensors["grad." + name] = parameter.grad
    return tensors


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", type=pathlib.Path)
    full = parser.parse_args().full
    config, size = (FULL, (44, 64, 0.05)) if full else (TINY, (7, 8, 0.4))
    path = full or HERE / "fixtures" / "unet.safetensors"
    path.parent.mkdir(exist_ok=True)
    tensors = {k: v.contiguous() for k, v in fixture(config, *size).items()}
    save_file(tensors, path, metadata={"config": json.dumps(config)})
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
