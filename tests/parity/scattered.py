"""Made-up numbers that any language makes alike."""
import numpy as np


def scattered(name, shape):
    """float32, uniform in -1 .. 1, by an integer hash of the name and the flat
    index."""
    seed = 2166136261
    for byte in name.encode():
        seed = ((seed ^ byte) * 16777619) & 0xFFFFFFFF
    x = (np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(seed)) & np.uint64(0xFFFFFFFF)
    for factor in (2654435761, 73244475, 73244475):
        x = (x * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
        x ^= x >> np.uint64(16)
    return (x / 2**31 - 1).astype(np.float32).reshape(shape)
