"""What a checkpoint of 1 GB of state costs in PyTorch: torch.save, and
torch.distributed.checkpoint.async_save; the peer of checkpoint_bench.cc.

    python tests/bench/checkpoint_bench.py FOLDER ROUNDS [MEGABYTES]

The same tensors and the same work a step. async_save as it comes, and with
staging in the background, where the optimiser must wait for the copy as ours
does. A stager is made for each save: in torch 2.11 one that is used again ends
in a KeyError.
"""

import json
import os
import pathlib
import shutil
import statistics
import sys
import time

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions

SIDE = 512
QUIET_STEPS = 10


def make_state(megabytes):
    count = max(1, megabytes * 1_000_000 // (3 * 4 * SIDE * SIDE))
    return {f"{kind}.layer.{i}.weight": torch.full((SIDE, SIDE), 0.5)
            for kind in ("params", "exp_avg", "exp_avg_sq") for i in range(count)}


class Step:
    """Work of about a tenth of a second on one core."""

    def __init__(self):
        self.a = torch.full((1024, 1024), 0.01)

    @torch.no_grad()
    def __call__(self):
        for _ in range(4):
            self.out = self.a @ self.a


def seconds_of(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def measure_torch_save(state, folder, rounds):
    values = []
    for _ in range(rounds):
        values.append(seconds_of(lambda: torch.save(state, folder / "state.pt"))[0])
        (folder / "state.pt").unlink()
    return {"stall/torch_save": values}


def measure_async_save(state, folder, rounds, name, make_stager):
    """Stall of a save and slowdown of steps beside it; the first save warms up."""
    step = Step()
    step()
    stalls, slowdowns = [], []
    for i in range(1 + rounds):
        quiet = [seconds_of(step)[0] for _ in range(QUIET_STEPS)]
        stalled, response = seconds_of(
            lambda: dcp.async_save(state, checkpoint_id=str(folder / str(i)),
                                   async_stager=make_stager()))
        staged = getattr(response, "staging_completion", None)
        uploaded = getattr(response, "upload_completion", response)
        beside = []
        while not uploaded.done():
            beside.append(seconds_of(step)[0])
            if staged is not None:
                stalled += seconds_of(staged.result)[0]
        uploaded.result()
        shutil.rmtree(folder / str(i))
        if i > 0:
            stalls.append(stalled)
            slowdowns.append(statistics.median(beside) / statistics.median(quiet))
    return {f"stall/{name}": stalls, f"slowdown/{name}": slowdowns}


def main():
    folder, rounds = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    megabytes = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    folder.mkdir(parents=True)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder.resolve()}/rendezvous",
                            rank=0, world_size=1)
    state = make_state(megabytes)
    stagers = {
        "async_save": lambda: None,
        "async_save_staged": lambda: DefaultStager(StagingOptions(
            use_pinned_memory=False, use_shared_memory=False, use_async_staging=True,
            use_non_blocking_copy=False)),
    }
    results = measure_torch_save(state, folder, rounds)
    for name, make_stager in stagers.items():
        results |= measure_async_save(state, folder, rounds, name, make_stager)
    for series, values in results.items():
        unit = "ratio" if series.startswith("slowdown") else "s"
        print(json.dumps({"series": f"checkpoint/{series}", "unit": unit, "values": values,
                          "ranks": 1}), flush=True)
    dist.destroy_process_group()
    shutil.rmtree(folder)
    os._exit(0)  # async_save's own threads may outlive main


if __name__ == "__main__":
    main()
