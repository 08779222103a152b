"""Seconds a training step of Python's DistributedDataParallel over Gloo takes:
the peer of tests/bench/step_time.cc, with the shapes of tests/bench/workloads.cc.

    mpirun -n 2 python tests/bench/step_time.py WORKLOAD LANES ROUNDS FILE

FILE is a path for the rendezvous at which nothing may lie yet; WORKLOAD is unet
or lora. Prints one line of samples as step_time does.
"""

import contextlib
import json
import os
import sys
import time

import torch
import torch.distributed as dist
from diffusers import UNet2DModel
from torch import nn
from torch.nn.parallel import DistributedDataParallel

BATCH_SIZE = 8
WARM_UP = 2  # DDP makes its final buckets after one step


class UNetWorkload(nn.Module):
    def __init__(self):
        super().__init__()
        self.unet = UNet2DModel(
            in_channels=8, out_channels=4, block_out_channels=[64, 128, 160, 192],
            down_block_types=["DownBlock2D"] * 2 + ["AttnDownBlock2D"] * 2,
            up_block_types=["AttnUpBlock2D"] * 2 + ["UpBlock2D"] * 2,
            layers_per_block=1, attention_head_dim=32, norm_num_groups=8)
        generator = torch.Generator().manual_seed(1)
        self.images = torch.randn(BATCH_SIZE, 8, 48, 64, generator=generator)
        self.targets = torch.randn(BATCH_SIZE, 4, 48, 64, generator=generator)
        self.timesteps = torch.arange(BATCH_SIZE) * 100 + 50

    def forward(self, begin, end):
        output = self.unet(self.images[begin:end], self.timesteps[begin:end]).sample
        return (output - self.targets[begin:end]).square().mean((1, 2, 3)).sum() / BATCH_SIZE


class Adapter(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.lora_down = nn.Linear(inputs, 128, bias=False)
        self.lora_up = nn.Linear(128, outputs, bias=False)
        for layer in (self.lora_down, self.lora_up):
            nn.init.normal_(layer.weight, 0, 0.02)

    def forward(self, x):
        return self.lora_up(self.lora_down(x))


class AdapterBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.channels = channels
        self.adapters = nn.ModuleList(
            Adapter(768 if i in (5, 6) else channels, channels) for i in range(8))

    def forward(self, x, context):
        a = self.adapters
        y = x
        for i in range(4):
            y = y + a[i](x)
        z = y + a[4](y) + a[7](y)
        return z + a[5](context) + a[6](context)


class LoraWorkload(nn.Module):
    def __init__(self):
        super().__init__()
        channels = [320] * 2 + [640] * 2 + [1280] * 6 + [640] * 3 + [320] * 3
        self.blocks = nn.ModuleList(AdapterBlock(c) for c in channels)
        generator = torch.Generator().manual_seed(1)
        self.context = torch.randn(BATCH_SIZE, 16, 768, generator=generator)
        self.inputs = {c: torch.randn(BATCH_SIZE, 16, c, generator=generator)
                       for c in (320, 640, 1280)}

    def forward(self, begin, end):
        states = {c: x[begin:end] for c, x in self.inputs.items()}
        for block in self.blocks:
            states[block.channels] = block(states[block.channels], self.context[begin:end])
        return sum(s.square().mean((1, 2)).sum() for s in states.values()) / BATCH_SIZE


def make_step(lanes):
    rank, world_size = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(1)
    model = {"unet": UNetWorkload, "lora": LoraWorkload}[sys.argv[1]]()
    ddp = DistributedDataParallel(model, gradient_as_bucket_view=True)
    optimizer = torch.optim.AdamW(ddp.parameters(), lr=1e-4, weight_decay=0.01, fused=True)
    mine = range(rank * lanes // world_size, (rank + 1) * lanes // world_size)

    def step():
        optimizer.zero_grad()
        for lane in mine:
            with contextlib.nullcontext() if lane == mine[-1] else ddp.no_sync():
                loss = ddp(lane * BATCH_SIZE // lanes, (lane + 1) * BATCH_SIZE // lanes)
                (loss * world_size).backward()
                loss.item()
        nn.utils.clip_grad_norm_(ddp.parameters(), 1.0)
        optimizer.step()

    return step, sum(p.numel() for p in ddp.parameters())


def slowest(seconds):
    value = torch.tensor([seconds], dtype=torch.float64)
    dist.all_reduce(value, op=dist.ReduceOp.MAX)
    return value.item()


def main():
    workload, lanes, rounds, file = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{file}", rank=int(os.environ["OMPI_COMM_WORLD_RANK"]),
        world_size=int(os.environ["OMPI_COMM_WORLD_SIZE"]))
    step, parameters = make_step(lanes)
    values = []
    for _ in range(WARM_UP + rounds):
        dist.barrier()
        start = time.perf_counter()
        step()
        values.append(slowest(time.perf_counter() - start))
    if dist.get_rank() == 0:
        print(json.dumps({"series": f"step/{workload}/ddp/{lanes}", "unit": "s",
                          "values": values[WARM_UP:], "ranks": dist.get_world_size(),
                          "parameters": parameters}), flush=True)
    dist.barrier()
    # Leave at once: at its ordinary end the interpreter, holding its lock, joins
    # Gloo's thread, which may be waiting for that lock to free a tensor.
    os._exit(0)


if __name__ == "__main__":
    main()
