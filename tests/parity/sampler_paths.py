"""Writes the fixture that tests/models/diffusion/sampler_paths_test.cc reads.

    python tests/parity/sampler_paths.py

Peer: the schedulers of diffusers in double precision, on trajectories of an
analytic model, 0.3 x + 0.2 sin(t), with given noise. The noise schedule itself
stays as diffusers computes it, in fp32; all that follows is computed in fp64,
so that the comparison can be much stricter than rounding in fp32 allows.
"""

import contextlib
import itertools
import math
import pathlib

import numpy
import torch
from diffusers.schedulers import (scheduling_ddim, scheduling_ddpm, scheduling_dpmsolver_multistep,
                                  scheduling_euler_ancestral_discrete, scheduling_repaint,
                                  scheduling_unipc_multistep)
from safetensors.torch import save_file

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "sampler_paths.safetensors"
START = torch.tensor([[-2.0], [0.9]], dtype=torch.float64)
PREDICTIONS = ("epsilon", "v_prediction", "sample")
SPACINGS = ("trailing", "leading", "linspace")
STEPS = (1, 2, 3, 10, 30, 50)
STABLE_DIFFUSION = dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
COSINE = dict(beta_schedule="squaredcos_cap_v2")

DDPM = scheduling_ddpm.DDPMScheduler
DDIM = scheduling_ddim.DDIMScheduler
DPM = scheduling_dpmsolver_multistep.DPMSolverMultistepScheduler
UNIPC = scheduling_unipc_multistep.UniPCMultistepScheduler
EULER = scheduling_euler_ancestral_discrete.EulerAncestralDiscreteScheduler

# name: class, its options, arguments of step().
PEERS = {
    "ddpm_small": (DDPM, dict(variance_type="fixed_small", clip_sample=False), {}),
    "ddpm_large": (DDPM, dict(variance_type="fixed_large", clip_sample=True), {}),
    "ddim_eta": (DDIM, dict(clip_sample=False), dict(eta=0.5)),
    "ddim_stride": (DDIM, dict(clip_sample=True, set_alpha_to_one=False), {}),
    "dpm": (DPM, {}, {}),
    "dpm_heun": (DPM, dict(solver_type="heun"), {}),
    "dpm_first": (DPM, dict(solver_order=1), {}),
    "dpm_karras": (DPM, dict(use_karras_sigmas=True), {}),
    "dpm_karras_cosine": (DPM, dict(use_karras_sigmas=True), {}),
    "dpm_min": (DPM, dict(final_sigmas_type="sigma_min", lower_order_final=False), {}),
    # With bh1 and a last level of 0, diffusers multiplies an infinite weight with 0.
    "unipc_bh1": (UNIPC, dict(solver_type="bh1", final_sigmas_type="sigma_min"), {}),
    "unipc_third": (UNIPC, dict(solver_order=3), {}),
    "unipc_bh1_third": (UNIPC, dict(solver_type="bh1", solver_order=3, final_sigmas_type="sigma_min"), {}),
    "unipc_first": (UNIPC, dict(solver_order=1), {}),
    "unipc_karras": (UNIPC, dict(use_karras_sigmas=True, final_sigmas_type="sigma_min"), {}),
    "euler": (EULER, {}, {}),
    "ddim_zero": (DDIM, dict(clip_sample=False), dict(eta=0.5)),
    "dpm_zero": (DPM, {}, {}),
    "unipc_zero": (UNIPC, {}, {}),
    "euler_zero": (EULER, {}, {}),
}


class Double:
    """A module whose float32 is float64."""

    def __init__(self, module):
        self.module = module

    def __getattr__(self, name):
        return getattr(self.module, "float64" if name == "float32" else name)


@contextlib.contextmanager
def double_precision():
    modules = (scheduling_ddpm, scheduling_ddim, scheduling_dpmsolver_multistep,
               scheduling_unipc_multistep, scheduling_euler_ancestral_discrete)
    torch.set_default_dtype(torch.float64)
    for module in modules:
        module.torch, module.np = Double(torch), Double(numpy)
    yield
    for module in modules:
        module.torch, module.np = torch, numpy
    torch.set_default_dtype(torch.float32)


def model(x, timestep):
    return 0.3 * x + 0.2 * math.sin(float(timestep))


def noise(step):
    return torch.cos(torch.arange(2, dtype=torch.float64) + 3.7 * (step + 1)).reshape(2, 1) * 1.3


def make(name, prediction, spacing):
    peer, options, arguments = PEERS[name]
    process = COSINE if name.endswith("cosine") else STABLE_DIFFUSION
    scheduler = peer(prediction_type=prediction, timestep_spacing=spacing, steps_offset=1,
                     rescale_betas_zero_snr=name.endswith("zero"), **process, **options)
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    if hasattr(scheduler, "final_alpha_cumprod"):
        one = torch.ones((), dtype=torch.float64)
        scheduler.final_alpha_cumprod = one if scheduler.config.set_alpha_to_one else scheduler.alphas_cumprod[0]
    return scheduler, arguments


def trajectory(scheduler, arguments, steps):
    """Timesteps, and the sample after the first step and after the last."""
    scheduler.set_timesteps(steps)
    euler = isinstance(scheduler, EULER)
    if euler:
        # The network is called with timesteps in fp32, also here.
        scheduler.timesteps = scheduler.timesteps.float().double()
        levels = ((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod).sqrt().numpy()
        visited = numpy.interp(scheduler.timesteps.numpy(), numpy.arange(len(levels)), levels)
        scheduler.sigmas = torch.from_numpy(numpy.append(visited, 0.0))
    x = START * scheduler.init_noise_sigma if euler else START.clone()
    points, count = [], 0

    def given(*_, **__):
        return noise(count)

    for module in (scheduling_ddpm, scheduling_ddim, scheduling_euler_ancestral_discrete):
        module.randn_tensor = given
    for t in scheduler.timesteps:
        seen = scheduler.scale_model_input(x, t)
        x = scheduler.step(model(seen, t), t, x, **arguments).prev_sample
        count += 1
        # Euler's samples are kept as the network sees them.
        sigma = scheduler.sigmas[count] if euler else torch.zeros(())
        points.append(x / (sigma**2 + 1) ** 0.5)
    both = torch.cat([points[0], points[-1]])
    assert both.dtype == torch.float64 and both.isfinite().all()
    return scheduler.timesteps, both


def paths(tensors):
    for name in PEERS:
        points, timesteps = [], []
        for prediction, spacing, steps in itertools.product(PREDICTIONS, SPACINGS, STEPS):
            if prediction == "sample" and name.startswith("euler"):
                continue  # not in diffusers
            if prediction == "epsilon" and name.endswith("zero"):
                continue  # divides by no signal
            scheduler, arguments = make(name, prediction, spacing)
            with double_precision():
                visited, both = trajectory(scheduler, arguments, steps)
            points.append(both.flatten())
            if prediction == "v_prediction":
                timesteps.append(visited.to(torch.float32))
        tensors["path/" + name] = torch.stack(points)
        if name in ("ddpm_small", "dpm", "dpm_karras", "dpm_karras_cosine", "unipc_karras", "euler"):
            tensors["timesteps/" + name] = torch.cat(timesteps)


def repaint(tensors):
    """Half of the image is known; the network's epsilon is the analytic model."""
    known = torch.tensor([[0.4], [-0.6]], dtype=torch.float64)
    mask = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    for name, eta in (("plain", 0.0), ("eta", 0.6)):
        scheduler = scheduling_repaint.RePaintScheduler(eta=eta, clip_sample=True, **STABLE_DIFFUSION)
        scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
        # The betas that follow from the cumulated products, not the rounded ones they came from.
        before = torch.cat([torch.ones(1, dtype=torch.float64), scheduler.alphas_cumprod[:-1]])
        scheduler.betas = 1 - scheduler.alphas_cumprod / before
        scheduler.final_alpha_cumprod = torch.ones((), dtype=torch.float64)
        scheduler.set_timesteps(50, jump_length=5, jump_n_sample=3)
        drawn = itertools.count()
        scheduling_repaint.randn_tensor = lambda *_, **__: noise(next(drawn))
        x, visited, last = START.clone(), [], scheduler.timesteps[0] + 1
        for t in scheduler.timesteps:
            if t < last:
                x = scheduler.step(model(x, t), t, x, known, mask).prev_sample
                visited.append(int(t))
            else:
                x = scheduler.undo_step(x, last)
                visited.append(int(last))
            last = t
        tensors["repaint/" + name] = x.flatten()
        tensors["repaint/visited"] = torch.tensor(visited, dtype=torch.int32)


def others(tensors):
    plain, _ = make("ddim_eta", "v_prediction", "leading")
    zero, _ = make("ddim_zero", "v_prediction", "leading")
    tensors["alphas_cumprod"] = plain.alphas_cumprod[::37].clone()
    tensors["alphas_cumprod_zero"] = torch.cat([zero.alphas_cumprod[::37], zero.alphas_cumprod[-2:]])
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg
    both = torch.cos(torch.arange(2 * 2 * 3 * 2, dtype=torch.float64) * 1.7).reshape(2, 2, 3, 2)
    guided = both[1] + 7.5 * (both[0] - both[1])
    tensors["guided"] = rescale_noise_cfg(guided, both[0], guidance_rescale=0.7)


def main():
    tensors = {}
    paths(tensors)
    repaint(tensors)
    others(tensors)
    save_file({k: v.contiguous() for k, v in tensors.items()}, FIXTURE)
    print(FIXTURE, FIXTURE.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
