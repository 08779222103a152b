#!/usr/bin/env python3
"""Writes fixtures/optimizer.json: 50 steps of torch.optim and diffusers' EMA.

The same quadratic is minimised by tests/dist/optimizer_test.cc with the flat
arena. Run with torch 2.11 and diffusers 0.42.1:
    python tests/parity/optimizer.py
"""

import json
import pathlib

import torch
from diffusers.training_utils import EMAModel

STEPS = 50


def momentum_sgd(parameters, lr, weight_decay):
    return torch.optim.SGD(parameters, lr=lr, weight_decay=weight_decay, momentum=0.9)


def run(kind, weight_decay, clip_norm, learning_rate=1e-2, ema_decay=0.9, ema_power=0.0, ema_begin=0):
    """One case: start, target, and parameters and average after STEPS."""
    generator = torch.Generator().manual_seed(7)
    start = torch.randn(37, generator=generator)
    target = torch.randn(37, generator=generator)
    weight = torch.nn.Parameter(start.clone())
    make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": momentum_sgd}[kind]
    optimizer = make([weight], lr=learning_rate, weight_decay=weight_decay)
    average = EMAModel([weight], decay=ema_decay, use_ema_warmup=ema_power > 0, power=ema_power,
                       update_after_step=ema_begin)
    for step in range(STEPS):
        optimizer.zero_grad()
        ((weight - target) ** 2).sum().mul(1 + step % 3).backward()
        if clip_norm > 0:
            torch.nn.utils.clip_grad_norm_([weight], clip_norm)
        optimizer.step()
        average.step([weight])
    return {
        "kind": kind,
        "weight_decay": weight_decay,
        "clip_norm": clip_norm,
        "learning_rate": learning_rate,
        "ema_decay": ema_decay,
        "ema_power": ema_power,
        "ema_begin": ema_begin,
        "start": start.tolist(),
        "target": target.tolist(),
        "end": weight.detach().tolist(),
        "ema": average.shadow_params[0].tolist(),
    }


def main():
    cases = [run("adamw", 0.01, 1.0), run("adam", 0.0, 0.0), run("adam", 0.1, 5.0)]
    cases += [run("sgd", 0.0, 0.0, 1e-3), run("sgd", 0.1, 5.0, 1e-3)]
    # A warm-up that never reaches the decay, and one that does after its start.
    cases += [run("adamw", 0.0, 0.0, ema_decay=0.9999, ema_power=2 / 3)]
    cases += [run("adamw", 0.0, 0.0, ema_decay=0.6, ema_power=0.75, ema_begin=7)]
    path = pathlib.Path(__file__).parent / "fixtures" / "optimizer.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"torch": torch.__version__, "cases": cases}) + "\n")


if __name__ == "__main__":
    main()
