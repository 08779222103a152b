"""Seconds of diffusers' StableDiffusionPipeline for a batch of images: the peer of
tests/bench/sampling.cc, with the same arguments.

    python tests/bench/sampling.py HEIGHT WIDTH BATCH THREADS
"""

import json
import sys
import time

import torch
from diffusers import (AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel,
                       UniPCMultistepScheduler)


def main():
    height, width, batch, threads = (int(a) for a in sys.argv[1:5])
    torch.set_num_threads(threads)
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2,
                          down_block_types=("DownEncoderBlock2D",) * 4,
                          up_block_types=("UpDecoderBlock2D",) * 4),
        unet=UNet2DConditionModel(cross_attention_dim=768),
        scheduler=UniPCMultistepScheduler(beta_start=0.00085, beta_end=0.012,
                                          beta_schedule="scaled_linear"),
        text_encoder=None, tokenizer=None, safety_checker=None, feature_extractor=None,
        requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    texts = torch.ones(batch, 77, 768)
    start = time.perf_counter()
    images = pipeline(prompt_embeds=texts, negative_prompt_embeds=texts, height=8 * height,
                      width=8 * width, num_inference_steps=30, output_type="pt").images
    seconds = time.perf_counter() - start
    assert images.shape == (batch, 3, 8 * height, 8 * width)
    print(json.dumps({"series": f"sampling/{batch}/diffusers", "unit": "s", "ranks": 1,
                      "values": [seconds]}))


if __name__ == "__main__":
    main()
