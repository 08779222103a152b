"""Seconds that Dice, HD95 and ASSD of 200 pairs of masks at 800 x 540 take in
Python: the peers of tests/bench/metrics_bench.cc.

    python tests/bench/metrics_bench.py PEER ROUNDS

PEER: monai or medpy.
"""
import json
import sys
import time

import numpy as np
import torch

PAIRS, WIDTH, HEIGHT = 200, 800, 540


def ellipse(cx, cy, a, b):
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.int64)
    return ((x - cx) * b)**2 + ((y - cy) * a)**2 <= (a * b)**2


def make_pairs():
    pairs = []
    for i in range(PAIRS):
        cx, cy = 400 + i % 41 - 20, 270 + i % 31 - 15
        a, b = 160 + i % 97, 120 + i % 73
        pairs.append((ellipse(cx + i % 17 - 8, cy + i % 13 - 6, a + i % 19 - 9, b + i % 11),
                      ellipse(cx, cy, a, b)))
    return pairs


def monai(pairs):
    from monai.metrics import (compute_average_surface_distance, compute_dice,
                               compute_hausdorff_distance)
    pairs = [[torch.from_numpy(m)[None, None] for m in pair] for pair in pairs]

    def measure(first, second):
        return (float(compute_dice(first, second)),
                float(compute_hausdorff_distance(first, second, True, percentile=95)),
                float(compute_average_surface_distance(first, second, True, symmetric=True)))
    return pairs, measure


def medpy(pairs):
    from medpy.metric import binary

    def measure(first, second):
        return (binary.dc(first, second), binary.hd95(first, second),
                binary.assd(first, second))
    return pairs, measure


def main():
    peer, rounds = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(1)
    pairs, measure = globals()[peer](make_pairs())
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        means = np.mean([measure(*pair) for pair in pairs], axis=0)
        seconds.append(time.perf_counter() - start)
    for what, unit, values in (("seconds", "s", seconds), ("dice", "mean", [means[0]]),
                               ("hd95", "px", [means[1]]), ("assd", "px", [means[2]])):
        print(json.dumps({"series": f"metrics/{peer}/{what}", "unit": unit,
                          "values": [float(v) for v in values], "ranks": 1}))


if __name__ == "__main__":
    main()
