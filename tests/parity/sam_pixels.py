"""Writes fixtures/sam_pixels.json: what Pillow, Meta's ResizeLongestSide and
Hugging Face's SamImageProcessor make of made-up images. Read by sam_pixels_test.

    python tests/parity/sam_pixels.py
"""
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from segment_anything.utils.transforms import ResizeLongestSide
from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

from sam import meta_sam, scattered

FIXTURE = Path(__file__).parent / "fixtures" / "sam_pixels.json"
# Name, height, width, channels.
IMAGES = [("wide", 540, 800, 1), ("tall", 800, 540, 3), ("square", 256, 256, 1),
          ("line", 1, 700, 1), ("column", 300, 1, 1), ("alpha", 90, 70, 4), ("large", 1100, 1300, 1)]


def made_up(name, height, width, channels):
    """uint8 [H, W, C] with smooth and sharp parts."""
    noise = scattered(name, (height, width, channels)).numpy().astype(np.float64)
    y, x = np.mgrid[0:height, 0:width]
    blocks = ((x // 9 + y // 7) % 2)[..., None]
    return np.floor((noise + 1) * 64 + 100 * blocks).astype(np.uint8)


def case(name, height, width, channels, processor):
    pixels = made_up(name, height, width, channels)
    picture = Image.fromarray(pixels[..., 0] if channels == 1 else pixels).convert("RGB")
    resized = ResizeLongestSide(1024).apply_image(np.asarray(picture))
    values = torch.as_tensor(np.asarray(processor(picture, return_tensors="np")["pixel_values"]))[0]
    meta = meta_sam()
    meta.image_encoder.img_size = 1024
    by_meta = meta.preprocess(torch.as_tensor(resized).permute(2, 0, 1).float())
    assert (values - by_meta).abs().max() < 1e-5, name
    boxes = np.array([[0.1 * width, 0.2 * height, 0.7 * width, 0.9 * height]])
    logits = 3 * scattered(name + ".logits", (1, 2, 256, 256))
    masks = meta.postprocess_masks(logits, resized.shape[:2], (height, width))
    index = torch.arange(40) * 7919
    return {
        "name": name, "height": height, "width": width, "channels": channels,
        "resized": [resized.shape[0], resized.shape[1]],
        "sha256": hashlib.sha256(np.ascontiguousarray(resized).tobytes()).hexdigest(),
        "pixels": values.flatten()[index % values.numel()].tolist(),
        "box": boxes[0].tolist(),
        "input_box": ResizeLongestSide(1024).apply_boxes(boxes, (height, width))[0].tolist(),
        "masks": masks.flatten()[index % masks.numel()].tolist()}


def small_case():
    """Reductions by several factors straight through Pillow."""
    image = Image.fromarray(made_up("small", 61, 83, 1)[..., 0])
    sizes = [(40, 30), (83, 9), (5, 61), (166, 122), (1, 1)]
    return {f"{w}x{h}": hashlib.sha256(
        np.asarray(image.resize((w, h), Image.BILINEAR)).tobytes()).hexdigest() for w, h in sizes}


def main():
    torch.set_num_threads(1)
    processor = SamImageProcessorPil()
    out = {"cases": [case(*image, processor) for image in IMAGES], "resize": small_case()}
    FIXTURE.write_text(json.dumps(out, indent=0) + "\n")


if __name__ == "__main__":
    main()
