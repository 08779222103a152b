"""Time of diffusers' UNet2DModel in the default generator's configuration, in
PyTorch eager with one thread: the peer of tests/bench/unet_step.cc.

    OMP_NUM_THREADS=1 python tests/bench/unet_step.py [batch size]
"""

import sys
import time

import torch
from diffusers import UNet2DModel
from torch.utils.flop_counter import FlopCounterMode


def best_ms(work):
    work()
    times = []
    for _ in range(5):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def main():
    batch = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    torch.set_num_threads(1)
    model = UNet2DModel(
        in_channels=8, out_channels=4, block_out_channels=[32, 64, 96, 128],
        down_block_types=["DownBlock2D"] * 2 + ["AttnDownBlock2D"] * 2,
        up_block_types=["AttnUpBlock2D"] * 2 + ["UpBlock2D"] * 2,
        layers_per_block=1, attention_head_dim=32, norm_num_groups=8)
    # 48 rows where the C++ has 44: the peer cannot upsample to odd sizes.
    x, t = torch.full((batch, 8, 48, 64), 0.1), torch.full((batch,), 500)

    def train():
        model(x, t).sample.square().mean().backward()

    def sample():
        with torch.no_grad():
            model(x, t)

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x[:1], t[:1])
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{parameters / 1e6:.2f} M parameters, {counter.get_total_flops() / 2e9:.2f} GMAC "
          f"a 48x64 view, batch {batch}: {best_ms(train) / batch:.2f} ms a training view, "
          f"{best_ms(sample) / batch:.2f} ms a sampling step and image (48 rows)")


if __name__ == "__main__":
    main()
