"""Writes fixtures/metrics.json: overlap and surface distances of 500 pairs of
masks as MONAI, medpy and DeepMind's surface-distance compute them.

    python tests/parity/make_metrics_fixture.py

The masks come from a generator of integers that
tests/experiments/metrics/surface_parity_test.cc replays.
"""

import importlib.metadata
import json
import pathlib
import warnings

import numpy as np
import scipy.ndimage
import torch

# Names that surface-distance 0.1 still uses and its dependencies dropped.
np.Inf, np.NaN = np.inf, np.nan
for old in ("filters", "morphology"):
    if not hasattr(scipy.ndimage, old):
        setattr(scipy.ndimage, old, scipy.ndimage)

import surface_distance  # noqa: E402
from medpy.metric import binary  # noqa: E402
from monai.metrics import (compute_average_surface_distance, compute_dice,  # noqa: E402
                           compute_hausdorff_distance, compute_iou,
                           compute_surface_dice)

NUM_PAIRS = 500
SPACINGS = [(1.0, 1.0), (0.5, 0.5), (0.25, 0.75), (1.5, 0.4)]  # (y, x)
# No distance between pixels under these spacings equals one of them.
TOLERANCES = [0.93, 1.57, 2.71]


class Integers:
    """Linear congruential generator modulo 2^31; the high bits are used."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 1103515245 + 12345) % 2**31
        return (self.state >> 12) % n


def add_ellipse(mask, cx, cy, a, b):
    """Integer axes; may leave the frame; one pixel when an axis is 0."""
    if a == 0 or b == 0:
        mask[cy, cx] = 1
        return
    y, x = np.mgrid[:mask.shape[0], :mask.shape[1]].astype(np.int64)
    mask[(x - cx)**2 * b * b + (y - cy)**2 * a * a <= a * a * b * b] = 1


def blobs(integers, shape):
    mask = np.zeros(shape, np.uint8)
    for _ in range(1 + integers.below(3)):
        cx, cy = integers.below(shape[1]), integers.below(shape[0])
        a, b = integers.below(20), integers.below(20)
        add_ellipse(mask, cx, cy, a, b)
    return mask


def heads(integers, shape):
    """Two ellipses that nearly agree."""
    height, width = shape
    cx, cy, a, b = width // 2, height // 2, width // 3, height // 3
    masks = []
    for _ in range(2):
        mask = np.zeros(shape, np.uint8)
        dx, dy = integers.below(5) - 2, integers.below(5) - 2
        da, db = integers.below(5) - 2, integers.below(5) - 2
        add_ellipse(mask, cx + dx, cy + dy, a + da, b + db)
        masks.append(mask)
    return masks


def make_pair(index):
    """Every tenth pair has an empty mask, or a mask of one pixel, or one that
    fills a corner of the image."""
    integers = Integers(index + 1)
    shape = 24 + integers.below(50), 24 + integers.below(50)
    kind = index % 10
    if kind in (3, 6, 9):
        return heads(integers, shape)
    first, second = blobs(integers, shape), blobs(integers, shape)
    if kind == 5:
        second[:] = 0
    if kind == 5 and index % 20 == 5:
        first[:] = 0
    if kind == 7:
        second[:] = 0
        second[integers.below(shape[0]), integers.below(shape[1])] = 1
    if kind == 8:
        first[:shape[0] // 2, :shape[1] // 2] = 1
    return first, second


def rounded(values):
    return [float(f"{float(v):.8g}") for v in values]


def of_monai(first, second, spacing, tolerance):
    pair = [torch.from_numpy(m)[None, None] for m in (first, second)]
    near = {"include_background": True, "spacing": spacing}
    return rounded([
        compute_hausdorff_distance(*pair, **near),
        compute_hausdorff_distance(*pair, percentile=95, **near),
        compute_average_surface_distance(*pair, symmetric=True, **near),
        compute_surface_dice(*pair, [tolerance], **near)])


def of_medpy(first, second, spacing):
    return rounded([metric(first, second, spacing)
                    for metric in (binary.hd, binary.hd95, binary.assd)])


def of_deepmind(first, second, spacing, tolerance):
    found = surface_distance.compute_surface_distances(
        second.astype(bool), first.astype(bool), spacing)
    return rounded([
        surface_distance.compute_robust_hausdorff(found, 100),
        surface_distance.compute_robust_hausdorff(found, 95),
        np.mean(surface_distance.compute_average_surface_distance(found)),
        surface_distance.compute_surface_dice_at_tolerance(found, tolerance)])


def make_row(index):
    first, second = make_pair(index)
    spacing = SPACINGS[index % len(SPACINGS)]
    tolerance = TOLERANCES[index % len(TOLERANCES)]
    pair = [torch.from_numpy(m)[None, None] for m in (first, second)]
    row = {"pixels": [int(first.sum()), int(second.sum())],
           "overlap": rounded([
               compute_dice(*pair, ignore_empty=False),
               compute_iou(*pair, ignore_empty=False)])}
    if first.any() and second.any():
        row["monai"] = of_monai(first, second, spacing, tolerance)
        row["medpy"] = of_medpy(first, second, spacing)
        row["deepmind"] = of_deepmind(first, second, spacing, tolerance)
    return row


def main():
    warnings.simplefilter("ignore")
    peers = ("monai", "MedPy", "surface-distance")
    fixture = {
        "peers": [f"{p} {importlib.metadata.version(p)}" for p in peers],
        "spacings_y_x": SPACINGS, "tolerances": TOLERANCES,
        "pairs": [make_row(index) for index in range(NUM_PAIRS)]}
    path = pathlib.Path(__file__).parent / "fixtures" / "metrics.json"
    path.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
