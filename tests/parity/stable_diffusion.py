"""Writes the fixture that tests/models/diffusion/stable_diffusion_test.cc compares
the text-to-image pipeline with.

    python tests/parity/stable_diffusion.py          # the small committed one
    python tests/parity/stable_diffusion.py --full F # Stable Diffusion 1.5's size, 2 steps, to F

The peer is diffusers' StableDiffusionPipeline with UniPC; weights are drawn from the
parameters' names on both sides (networks.py). The tokenizer is that of
fixtures/clip_tokenizer. Keys: input.noise, latents.CASE, image.CASE (uint8); the
configs of the parts are in the metadata.
"""

import argparse
import json
import pathlib

import torch
from diffusers import (AutoencoderKL, StableDiffusionPipeline, UniPCMultistepScheduler,
                       UNet2DConditionModel)
from peft import LoraConfig
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from networks import FULL, FULL_VAE, TINY, TINY_UP, TINY_VAE, drawn, with_drawn_weights

HERE = pathlib.Path(__file__).parent
PROMPTS = ["ultrasound of a fetal head", "a"]
CASES = {
    "guided": dict(guidance_scale=7.5, num_inference_steps=30),
    "negative": dict(guidance_scale=3, guidance_rescale=0.7, num_inference_steps=5,
                     negative_prompt=["noise", "a blurred image"]),
    "plain": dict(guidance_scale=1, num_inference_steps=4, clip_skip=1),
    # LoRAs on UNet and text encoder, added before it.
    "lora": dict(guidance_scale=7.5, num_inference_steps=10, cross_attention_kwargs={"scale": 0.9}),
}
FULL_CASES = {"full": dict(guidance_scale=7.5, num_inference_steps=2)}
SMALL_TEXT = dict(hidden_size=32, intermediate_size=37, num_hidden_layers=3, num_attention_heads=4)
FULL_TEXT = dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)


def text_encoder(tokenizer, size):
    config = CLIPTextConfig(
        vocab_size=len(tokenizer), bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, **size)
    model = CLIPTextModel(config)
    for name, parameter in model.named_parameters():
        name = name.removeprefix("text_model.")  # transformers 5 leaves it out
        parameter.data = drawn("text_model." + name, tuple(parameter.shape))
    # diffusers 0.42 looks for the final norm where transformers 4 had it.
    object.__setattr__(model, "text_model", model)
    return model.eval()


def add_lora(model, prefix, targets):
    model.add_adapter(LoraConfig(r=4, lora_alpha=2, init_lora_weights="gaussian", target_modules=targets))
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            # transformers 5 leaves "text_model." out.
            name = name.replace(".default.", ".").removeprefix("text_model.")
            parameter.data = drawn(prefix + name, tuple(parameter.shape))


def add_loras(pipeline):
    add_lora(pipeline.unet, "lora.", ["to_q", "to_k", "to_v", "to_out.0"])
    add_lora(pipeline.text_encoder, "lora.text_model.", ["q_proj", "k_proj", "v_proj", "out_proj"])


def make_pipeline(full):
    tokenizer = CLIPTokenizer.from_pretrained(HERE / "fixtures" / "clip_tokenizer",
                                              model_max_length=77)
    pipeline = StableDiffusionPipeline(
        vae=with_drawn_weights(AutoencoderKL(**(FULL_VAE if full else TINY_VAE))),
        text_encoder=text_encoder(tokenizer, FULL_TEXT if full else SMALL_TEXT), tokenizer=tokenizer,
        unet=with_drawn_weights(UNet2DConditionModel(**(FULL if full else TINY | TINY_UP))),
        scheduler=UniPCMultistepScheduler(
            beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012,
            timestep_spacing="leading", steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", type=pathlib.Path)
    full = parser.parse_args().full
    torch.manual_seed(0)
    pipeline = make_pipeline(bool(full))
    noise = torch.randn(2, 4, 24, 40) if full else torch.randn(2, 4, 4, 8)
    factor = pipeline.vae_scale_factor
    size = dict(height=noise.shape[2] * factor, width=noise.shape[3] * factor)
    configs = {part: json.dumps({k: v for k, v in getattr(pipeline, part).config.items()
                                 if not k.startswith("_")}) for part in ("unet", "vae")}
    configs["text_encoder"] = pipeline.text_encoder.config.to_json_string()
    tensors = {"input.noise": noise}
    for name, options in (FULL_CASES if full else CASES).items():
        if name == "lora":
            add_loras(pipeline)
        call = dict(prompt=PROMPTS, latents=noise, output_type="latent", **size, **options)
        latents = pipeline(**call).images
        image = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample.detach()
        image = (image / 2 + 0.5).clamp(0, 1)
        tensors[f"latents.{name}"] = latents
        tensors[f"image.{name}"] = (image * 255).round().to(torch.uint8)
    path = full or HERE / "fixtures" / "stable_diffusion.safetensors"
    save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata=configs)
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
