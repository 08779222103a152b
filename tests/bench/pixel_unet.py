"""Seconds of diffusers' UNet2DModel in the pixel generator's default configuration, one
thread: the peers of tests/bench/pixel_unet.cc.

    python tests/bench/pixel_unet.py eager|compiled BATCH ROUNDS
"""

import json
import sys
import time

import torch
from diffusers import UNet2DModel


def time_each(rounds, work):
    work()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def main():
    peer, batch, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    model = UNet2DModel(
        in_channels=8, out_channels=4, block_out_channels=[32, 64, 96, 128],
        down_block_types=["DownBlock2D"] * 2 + ["AttnDownBlock2D"] * 2,
        up_block_types=["AttnUpBlock2D"] * 2 + ["UpBlock2D"] * 2,
        layers_per_block=1, attention_head_dim=32, norm_num_groups=8)
    parameters = sum(p.numel() for p in model.parameters())
    call = torch.compile(model) if peer == "compiled" else model
    x, t = torch.full((batch, 8, 48, 64), 0.1), torch.full((batch,), 500)

    def train():
        call(x, t).sample.square().mean().backward()

    def sample():
        with torch.no_grad():
            call(x, t)

    for what, work in (("train", train), ("sample", sample)):
        print(json.dumps({"series": f"pixel_unet/{what}/{peer}", "unit": "s", "ranks": 1,
                          "values": time_each(rounds, work), "parameters": parameters}))


if __name__ == "__main__":
    main()
