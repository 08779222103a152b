"""Writes fixtures/metrics.json: MONAI's overlap and surface distances.

    python tests/parity/make_metrics_fixture.py   (monai, numpy, torch)

The masks are made from a small integer generator that the C++ test repeats
(tests/experiments/metrics/surface_parity_test.cc), so only numbers are stored.
"""

import json
import pathlib

import monai
import numpy as np
import torch
from monai.metrics import (DiceMetric, HausdorffDistanceMetric, MeanIoU,
                           SurfaceDistanceMetric)

NUM_PAIRS = 40
SPACINGS = [(1.0, 1.0), (0.5, 0.5), (0.25, 0.75), (1.5, 0.4)]  # (y, x)


class Integers:
    """Linear congruential generator modulo 2^31; the high bits are used."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 1103515245 + 12345) % 2**31
        return (self.state >> 12) % n


def make_mask(integers, height, width, num_blobs):
    """Union of blobs (filled ellipses with integer axes); may leave the frame."""
    mask = np.zeros((height, width), np.uint8)
    y, x = np.mgrid[:height, :width].astype(np.int64)
    for _ in range(num_blobs):
        cx, cy = integers.below(width), integers.below(height)
        a, b = integers.below(20), integers.below(20)
        if a == 0 or b == 0:
            mask[cy, cx] = 1
        else:
            mask[(x - cx)**2 * b * b + (y - cy)**2 * a * a <= a * a * b * b] = 1
    return mask


def make_pair(index):
    integers = Integers(index + 1)
    height, width = 24 + integers.below(50), 24 + integers.below(50)
    first = make_mask(integers, height, width, 1 + integers.below(3))
    second = make_mask(integers, height, width, 1 + integers.below(3))
    return first, second


def measure(metric, first, second, **arguments):
    tensors = [torch.from_numpy(m)[None, None] for m in (first, second)]
    metric(*tensors, **arguments)
    return float(metric.aggregate().reshape(-1)[0])


def main():
    rows = []
    for index in range(NUM_PAIRS):
        first, second = make_pair(index)
        spacing = SPACINGS[index % len(SPACINGS)]
        distance = {"spacing": [spacing]}
        rows.append({
            "pixels": [int(first.sum()), int(second.sum())],
            "spacing_y_x": spacing,
            "dice": measure(DiceMetric(), first, second),
            "iou": measure(MeanIoU(), first, second),
            "hd": measure(HausdorffDistanceMetric(), first, second, **distance),
            "hd95": measure(HausdorffDistanceMetric(percentile=95), first,
                            second, **distance),
            "assd": measure(SurfaceDistanceMetric(symmetric=True), first,
                            second, **distance),
        })
    path = pathlib.Path(__file__).parent / "fixtures" / "metrics.json"
    text = json.dumps({"peer": f"monai {monai.__version__}", "pairs": rows},
                      indent=0)
    path.write_text(text + "\n")


if __name__ == "__main__":
    main()
