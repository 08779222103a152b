"""Values that both sides of a comparison can make, so that no file need hold
them: SplitMix64 of (stream, index), exact in integers, scaled to (-1, 1).
Its twin is tests/trainer/latent/mixed_values.cc."""

import numpy
import torch

MASK = (1 << 64) - 1


def mixed(stream, shape):
    count = int(numpy.prod(shape))
    with numpy.errstate(over="ignore"):
        x = numpy.arange(count, dtype=numpy.uint64)
        x = (x + numpy.uint64((stream << 40) & MASK)) * numpy.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        x = x ^ (x >> numpy.uint64(31))
    top = (x >> numpy.uint64(40)).astype(numpy.int64)
    values = (top - (1 << 23)).astype(numpy.float32) / numpy.float32(1 << 23)
    return torch.from_numpy(values).reshape(shape)


def fill_mixed(named_parameters, scale, norm_scale=0.1):
    """Stream k for the k-th name in order; norms lie around 1."""
    with torch.no_grad():
        for stream, (name, parameter) in enumerate(sorted(named_parameters)):
            values = mixed(stream, tuple(parameter.shape))
            is_norm = "norm" in name and name.endswith("weight")
            parameter.copy_(1 + norm_scale * values if is_norm else scale * values)
