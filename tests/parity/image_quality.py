"""Writes the fixture that tests/experiments/image_quality reads.

    python tests/parity/image_quality.py

Peers: torchmetrics' Frechet, kernel and likeness measures, prdc, clean-fid, and
torch-fidelity's Inception v3 with weights that both sides compute by formula
(the published ones cannot be committed). Checks 19 and 20.
"""

import math
import pathlib
import sys
import types

import numpy
import torch
from cleanfid.fid import frechet_distance, kernel_distance
from prdc import compute_prdc
from safetensors.torch import save_file
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torchmetrics.functional.image import (multiscale_structural_similarity_index_measure,
                                           peak_signal_noise_ratio,
                                           structural_similarity_index_measure)
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.kid import poly_mmd

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "image_quality.safetensors"


def features(count, width, shift, seed):
    """Correlated columns, as features are: the C++ side repeats this formula."""
    i = torch.arange(count, dtype=torch.float64).reshape(-1, 1)
    j = torch.arange(width, dtype=torch.float64).reshape(1, -1)
    noise = torch.frac(torch.sin(i * 12.9898 + j * 78.233 + seed) * 43758.5453)
    return noise + 0.5 * torch.sin(i * 0.7 + 0.1 * j) + shift


def image(height, width, phase):
    y = torch.arange(height, dtype=torch.float64).reshape(-1, 1)
    x = torch.arange(width, dtype=torch.float64).reshape(1, -1)
    wave = torch.sin(x * 0.13 + phase) * torch.cos(y * 0.21 - phase) + torch.sin(x * y * 0.01)
    return ((wave + 2) * 63.75)[None, None]


def distances(tensors):
    for name, count, width in (("many", 90, 16), ("few", 20, 48)):
        real, made = features(count, width, 0, 1), features(count - 7, width, 0.2, 2)
        mean = [real.mean(0), made.mean(0)]
        covariance = [real.T.cov(), made.T.cov()]
        ours = _compute_fid(mean[0], covariance[0], mean[1], covariance[1])
        clean = frechet_distance(mean[0].numpy(), covariance[0].numpy(), mean[1].numpy(), covariance[1].numpy())
        tensors[f"{name}/frechet"] = ours
        tensors[f"{name}/frechet_clean_fid"] = torch.tensor(float(clean), dtype=torch.float64)
        subset = torch.arange(0, 13)
        tensors[f"{name}/kernel"] = poly_mmd(real[subset * 1], made[subset + 0])
        measures = compute_prdc(real.numpy(), made.numpy(), nearest_k=5)
        tensors[f"{name}/manifold"] = torch.tensor(
            [measures[k] for k in ("precision", "recall", "density", "coverage")], dtype=torch.float64)
    # The whole of clean-fid's function, with its one subset drawn by a numpy
    # whose choice is fixed.
    real, made = features(40, 16, 0, 1).numpy(), features(40, 16, 0.2, 2).numpy()
    choice = numpy.random.choice
    numpy.random.choice = lambda n, m, replace: numpy.arange(n)[:m]
    clean = kernel_distance(real, made, num_subsets=1, max_subset_size=30)
    numpy.random.choice = choice
    tensors["kernel_clean_fid"] = torch.tensor(float(clean), dtype=torch.float64)


def likeness(tensors):
    a, b = image(180, 176, 0.3), image(180, 176, 0.5)
    tensors["ssim"] = structural_similarity_index_measure(a, b, data_range=255.0)
    tensors["ms_ssim"] = multiscale_structural_similarity_index_measure(a, b, data_range=255.0)
    tensors["psnr"] = peak_signal_noise_ratio(a, b, data_range=255.0)


def formula_weights(model):
    """Each tensor from its name and index; scaled so that activations stay near one."""
    state = {}
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point() or name.startswith("fc."):
            continue
        phase = sum(byte * (k + 1) for k, byte in enumerate(name.encode())) % 1009
        index = torch.arange(tensor.numel(), dtype=torch.float64)
        uniform = torch.frac(torch.sin(index * 12.9898 + phase) * 43758.5453)  # (-1, 1)
        if name.endswith("conv.weight"):
            fan_in = tensor[0].numel()
            values = uniform * math.sqrt(6 / fan_in)
        elif name.endswith(("bn.weight", "running_var")):
            values = 1 + 0.3 * uniform
        else:
            values = 0.1 * uniform
        state[name] = values.reshape(tensor.shape).float()
    return state


def inception(tensors):
    # Without the download of the published weights.
    peer = FeatureExtractorInceptionV3.__new__(FeatureExtractorInceptionV3)
    load = torch.hub.load_state_dict_from_url
    from torch_fidelity import feature_extractor_inceptionv3 as module
    module.load_state_dict_from_url = lambda *_, **__: {}
    plain = torch.nn.Module.load_state_dict
    torch.nn.Module.load_state_dict = lambda *_, **__: None
    peer.__init__("inception", ["2048"])
    torch.nn.Module.load_state_dict = plain
    torch.hub.load_state_dict_from_url = load
    weights = formula_weights(peer)
    missing, unexpected = peer.load_state_dict(weights, strict=False)
    assert not unexpected and all("num_batches" in m or m.startswith("fc.") for m in missing), missing
    peer.eval()
    images = torch.cat([image(75, 90, 0.3), image(75, 90, 1.1)]).round().clamp(0, 255).to(torch.uint8)
    with torch.no_grad():
        (pooled,) = peer(images.repeat(1, 3, 1, 1))
    assert pooled.isfinite().all() and pooled.std() > 0.05, pooled.std()
    tensors["inception"] = pooled[:, ::4]


class Extractor(torch.nn.Module):
    """A network that a user might bring."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x.mean((1, 2, 3)), x.amax((1, 2, 3)), x[:, 1].std((1, 2))], 1)


def main():
    torch.set_num_threads(1)
    torch.jit.script(Extractor()).save(str(FIXTURE.with_name("extractor.pt")))
    tensors = {}
    distances(tensors)
    likeness(tensors)
    inception(tensors)
    save_file({k: v.clone().contiguous() for k, v in tensors.items()}, FIXTURE)
    print(FIXTURE, FIXTURE.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
