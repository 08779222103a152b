"""From the start of the process to weights that a step can use, with diffusers:
the peer of start_time.cc.

    python tests/bench/start_time.py --make FOLDER   # writes unet/, 3.4 GB
    python tests/bench/start_time.py FOLDER          # one line of samples

--make draws a UNet of Stable Diffusion 1.5's size, 860 M random parameters.
"""

import json
import os
import pathlib
import sys
import time

CONFIG = dict(
    sample_size=64, in_channels=4, out_channels=4, block_out_channels=[320, 640, 1280, 1280],
    layers_per_block=2, cross_attention_dim=768, attention_head_dim=8,
    down_block_types=["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    up_block_types=["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3)


def seconds_since_start():
    with open("/proc/self/stat") as stat:
        ticks = int(stat.read().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def make(folder):
    import torch
    from diffusers import UNet2DConditionModel

    torch.manual_seed(0)
    UNet2DConditionModel(**CONFIG).save_pretrained(folder / "unet", max_shard_size="10GB")


def main():
    if sys.argv[1] == "--make":
        return make(pathlib.Path(sys.argv[2]))
    from diffusers import UNet2DConditionModel

    model = UNet2DConditionModel.from_pretrained(sys.argv[1], subfolder="unet")
    seconds = seconds_since_start()
    print(json.dumps({"series": "start/weights/diffusers", "unit": "s", "values": [seconds],
                      "ranks": 1, "parameters": sum(p.numel() for p in model.parameters())}))


if __name__ == "__main__":
    main()
