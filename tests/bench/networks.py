"""Time and memory of diffusers' networks in PyTorch eager: the peer of
tests/bench/networks.cc, with the same arguments.

    OMP_NUM_THREADS=2 python tests/bench/networks.py WORKLOAD HEIGHT WIDTH BATCH ROUNDS
"""

import json
import resource
import sys
import time

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel


def report(name, unit, values):
    print(json.dumps({"series": f"networks/{name}", "unit": unit, "values": values,
                      "ranks": 1}), flush=True)


def measure(name, rounds, work):
    work()
    values = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        values.append(time.perf_counter() - start)
    report(name, "s", values)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    report(f"{name}/peak_resident", "bytes", [peak])


def measure_unet(workload, height, width, batch, rounds):
    unet = UNet2DConditionModel(cross_attention_dim=768).requires_grad_(False)
    forward = workload == "unet_forward"
    batch = 2 * batch if forward else batch
    x = torch.ones(batch, 4, height, width)
    t, text = torch.full((batch,), 500), torch.ones(batch, 77, 768)

    def sample():
        with torch.no_grad():
            unet(x, t, text)

    def train():
        unet(x.clone().requires_grad_(), t, text).sample.square().mean().backward()

    measure(f"{workload}/diffusers", rounds, sample if forward else train)


def measure_vae(workload, height, width, batch, rounds):
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
    latent = torch.ones(batch, 4, height, width)
    image = torch.ones(batch, 3, 8 * height, 8 * width)

    def work():
        with torch.no_grad():
            vae.decode(latent) if workload == "vae_decode" else vae.encode(image)

    measure(f"{workload}/diffusers", rounds, work)


def main():
    workload, *numbers = sys.argv[1:]
    run = measure_vae if workload.startswith("vae_") else measure_unet
    run(workload, *map(int, numbers))


if __name__ == "__main__":
    main()
