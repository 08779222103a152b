"""Writes the fixture that tests/models/diffusion compares the C++ with.

    python tests/parity/samplers.py

Peer: diffusers' DDIMScheduler and UniPCMultistepScheduler on trajectories of an
analytic model, eps = 0.3 x + 0.2 sin(t), and its noise schedules, velocities
and min-SNR weights (the formula of its training scripts) at all timesteps.
"""

import itertools
import math
import pathlib

import torch
from diffusers import DDIMScheduler, DDPMScheduler, UniPCMultistepScheduler
from diffusers.training_utils import compute_snr
from safetensors.torch import save_file

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "samplers.safetensors"
SCHEDULES = {
    "scaled_linear": dict(beta_start=0.00085, beta_end=0.012),
    "linear": dict(beta_start=0.0001, beta_end=0.02),
    "squaredcos_cap_v2": {},
}
START = torch.tensor([[-2.0], [-0.7], [0.1], [0.9], [1.8]])


def model(x, timestep):
    return 0.3 * x + 0.2 * math.sin(float(timestep))


def trajectory(scheduler, steps):
    scheduler.set_timesteps(steps)
    x, points = START.clone(), []
    for t in scheduler.timesteps:
        x = scheduler.step(model(x, t), t, x).prev_sample
        points.append(x)
    # The path's ends tell as much as the whole of it.
    return scheduler.timesteps.to(torch.int32), torch.stack([points[0], points[-1]])


def samplers(tensors):
    cases = itertools.product(("epsilon", "v_prediction"), ("trailing", "leading", "linspace"),
                              (1, 2, 3, 10, 30, 50))
    for prediction, spacing, steps in cases:
        common = dict(beta_schedule="scaled_linear", prediction_type=prediction,
                      timestep_spacing=spacing, steps_offset=1, **SCHEDULES["scaled_linear"])
        peers = {
            "ddim": DDIMScheduler(clip_sample=False, set_alpha_to_one=True, **common),
            "ddim_sd": DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **common),
            "ddim_clip": DDIMScheduler(clip_sample=True, **common),
            "unipc": UniPCMultistepScheduler(solver_order=2, solver_type="bh2", **common),
        }
        for name, scheduler in peers.items():
            key = f"{name}/{prediction}/{spacing}/{steps}"
            timesteps, points = trajectory(scheduler, steps)
            tensors["path/" + key] = points
            if name in ("ddim", "unipc") and prediction == "epsilon":
                tensors["timesteps/" + key] = timesteps


def schedules(tensors):
    timesteps = torch.arange(0, 1000, 37)
    x = torch.linspace(-1, 1, len(timesteps)).reshape(-1, 1)
    noise = torch.linspace(2, -2, len(timesteps)).reshape(-1, 1)
    tensors.update({"t": timesteps, "x": x, "noise": noise})
    for name, betas in SCHEDULES.items():
        scheduler = DDPMScheduler(beta_schedule=name, **betas)
        snr = compute_snr(scheduler, timesteps)
        capped = snr.clamp_max(5.0)
        tensors[f"{name}/alphas_cumprod"] = scheduler.alphas_cumprod
        tensors[f"{name}/noisy"] = scheduler.add_noise(x, noise, timesteps)
        tensors[f"{name}/velocity"] = scheduler.get_velocity(x, noise, timesteps)
        tensors[f"{name}/weight_epsilon"] = capped / snr
        tensors[f"{name}/weight_v"] = capped / (snr + 1)


def main():
    tensors = {"start": START}
    samplers(tensors)
    schedules(tensors)
    save_file({k: v.contiguous() for k, v in tensors.items()}, FIXTURE)
    print(FIXTURE, FIXTURE.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
