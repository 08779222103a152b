"""Writes the fixture that tests/models/diffusion/stable_diffusion_test.cc compares
the text-to-image pipeline with.

    python tests/parity/stable_diffusion.py

The peer is diffusers' StableDiffusionPipeline, tiny, with UniPC; weights are drawn
from the parameters' names on both sides (networks.py). The tokenizer is that of
fixtures/clip_tokenizer. Keys: input.noise, latents.CASE, image.CASE (uint8); the
configs of the parts are in the metadata.
"""

import json
import pathlib

import torch
from diffusers import (AutoencoderKL, StableDiffusionPipeline, UniPCMultistepScheduler,
                       UNet2DConditionModel)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from networks import TINY, TINY_UP, TINY_VAE, drawn, with_drawn_weights

HERE = pathlib.Path(__file__).parent
PROMPTS = ["ultrasound of a fetal head", "a"]
CASES = {
    "guided": dict(guidance_scale=7.5, num_inference_steps=30),
    "negative": dict(guidance_scale=3, guidance_rescale=0.7, num_inference_steps=5,
                     negative_prompt=["noise", "a blurred image"]),
    "plain": dict(guidance_scale=1, num_inference_steps=4, clip_skip=1),
}


def text_encoder(tokenizer):
    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=37, num_hidden_layers=3,
        num_attention_heads=4, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    model = CLIPTextModel(config)
    for name, parameter in model.named_parameters():
        name = name.removeprefix("text_model.")  # transformers 5 leaves it out
        parameter.data = drawn("text_model." + name, tuple(parameter.shape))
    # diffusers 0.42 looks for the final norm where transformers 4 had it.
    object.__setattr__(model, "text_model", model)
    return model.eval()


def main():
    tokenizer = CLIPTokenizer.from_pretrained(HERE / "fixtures" / "clip_tokenizer",
                                              model_max_length=77)
    torch.manual_seed(0)
    pipeline = StableDiffusionPipeline(
        vae=with_drawn_weights(AutoencoderKL(**TINY_VAE)),
        text_encoder=text_encoder(tokenizer), tokenizer=tokenizer,
        unet=with_drawn_weights(UNet2DConditionModel(**TINY, **TINY_UP)),
        scheduler=UniPCMultistepScheduler(
            beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012,
            timestep_spacing="leading", steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn(2, 4, 4, 8)
    tensors = {"input.noise": noise}
    for name, options in CASES.items():
        call = dict(prompt=PROMPTS, latents=noise, height=8, width=16, **options)
        tensors[f"latents.{name}"] = pipeline(output_type="latent", **call).images
        image = pipeline(output_type="np", **call).images
        tensors[f"image.{name}"] = torch.from_numpy((image * 255).round()).to(
            torch.uint8).permute(0, 3, 1, 2)
    configs = {part: json.dumps({k: v for k, v in getattr(pipeline, part).config.items()
                                 if not k.startswith("_")}) for part in ("unet", "vae")}
    configs["text_encoder"] = pipeline.text_encoder.config.to_json_string()
    path = HERE / "fixtures" / "stable_diffusion.safetensors"
    save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata=configs)
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
