"""Writes fixtures/augment.json: what albumentations makes of a made-up image and
its mask, with every number fixed. Read by augment_steps_test.

    python tests/parity/augment.py     # needs albumentations 2.0.8
"""
import json
from pathlib import Path

import albumentations as A
import albumentations.augmentations.dropout.functional as functional
import albumentations.augmentations.geometric.functional as geometric
import cv2
import numpy as np

from scattered import scattered

FIXTURE = Path(__file__).parent / "fixtures" / "augment.json"
HEIGHT, WIDTH = 30, 40


def made_up():
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    noise = scattered("augment", (HEIGHT, WIDTH)).astype(np.float64)
    image = np.floor(60 + 2 * x + y + 20 * noise).astype(np.uint8)
    inside = ((x - 20) / 13) ** 2 + ((y - 14) / 9) ** 2 <= 1
    return image, np.where(inside, 255, 0).astype(np.uint8)


def exact(transform):
    image, mask = made_up()
    result = transform(image=image, mask=mask)
    return result["image"], result["mask"]


def rotation(degrees):
    return A.Rotate(limit=(degrees, degrees), interpolation=cv2.INTER_LINEAR,
                    mask_interpolation=cv2.INTER_NEAREST, border_mode=cv2.BORDER_CONSTANT, p=1)


def elastic():
    image, mask = made_up()
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    map_x = x + 3 * scattered("dx", (HEIGHT, WIDTH))
    map_y = y + 3 * scattered("dy", (HEIGHT, WIDTH))
    return (geometric.remap(image, map_x, map_y, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT, 0),
            geometric.remap(mask, map_x, map_y, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, 0))


def dropout():
    image, mask = made_up()
    holes = np.array([[5, 6, 12, 11], [24, 15, 34, 28]])
    return functional.cutout(image, holes, 0, np.random.default_rng(0)), mask


def main():
    image, mask = made_up()
    brightness = A.RandomBrightnessContrast((0.1, 0.1), (-0.15, -0.15), brightness_by_max=True, p=1)
    cases = {
        "original": (image, mask), "rotate 15": exact(rotation(15)),
        "rotate -45": exact(rotation(-45)), "flip x": exact(A.HorizontalFlip(p=1)),
        "flip y": exact(A.VerticalFlip(p=1)), "brightness": exact(brightness),
        "blur": (cv2.GaussianBlur(image, (3, 3), 0), mask), "elastic": elastic(),
        "dropout": dropout()}
    texts = {k: [np.ascontiguousarray(i).tobytes().hex(), "".join("01"[int(v > 0)] for v in m.flat)]
             for k, (i, m) in cases.items()}
    FIXTURE.write_text(json.dumps(texts, indent=0) + "\n")


if __name__ == "__main__":
    main()
