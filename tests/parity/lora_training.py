"""Writes the fixtures that tests/trainer/latent compares LoRA training with.

    python tests/parity/lora_training.py          # the small committed ones
    python tests/parity/lora_training.py --full F # a UNet of Stable Diffusion 1.5's
                                                  # size, 3 steps, to F

The peer is the loop of diffusers' train_text_to_image_lora.py without accelerate,
with peft's LoRA and given latents, noise and timesteps: noise is added, the UNet
says what it sees, mean squared error weighted by min-SNR, gradients of several
batches accumulated, clipped, AdamW, warm-up and cosine. In the case "text" a text
encoder learns beside it, as in train_dreambooth_lora.py, with a learning rate of
its own; in "bf16" the published weights are bf16 and the LoRA fp32. Weights,
latents, noise and texts are mixed_values, so the file holds only what came out:
losses, the gradients of the first step and the LoRA after the last.
"""

import argparse
import json
import math
import pathlib

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.training_utils import cast_training_params, compute_snr
from mixed_values import fill_mixed, mixed
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

FIXTURES = pathlib.Path(__file__).parent / "fixtures"

TINY = dict(sample_size=8, in_channels=4, out_channels=4, block_out_channels=[8, 16],
            down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
            up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"], layers_per_block=1,
            cross_attention_dim=6, attention_head_dim=2, norm_num_groups=4)
FULL = dict(sample_size=64, in_channels=4, out_channels=4, block_out_channels=[320, 640, 1280, 1280],
            down_block_types=["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
            up_block_types=["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3, layers_per_block=2,
            cross_attention_dim=768, attention_head_dim=8, norm_num_groups=32)
# As wide as the UNet wants its text.
TEXT_ENCODER = dict(vocab_size=40, hidden_size=6, intermediate_size=12, num_hidden_layers=2,
                    num_attention_heads=2, max_position_embeddings=16)
SCHEDULE = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000)

# size: latent height and width; streams of mixed_values start at these numbers.
LATENT, NOISE, TEXT = 1000000, 2000000, 3000000


def cases(full):
    common = dict(scale=0.04 if full else 0.35, tokens=77 if full else 5,
                  height=16 if full else 8, width=16 if full else 6,
                  steps=3 if full else 20, batch=1 if full else 2, accumulation=1 if full else 3,
                  rank=4 if full else 2, alpha=4 if full else 3,
                  # Adam's first steps take noise in a tiny gradient to the size of the rate.
                  learning_rate=1e-4 if full else 1e-3,
                  weight_decay=1e-2, clip_norm=1.0, warmup=1 if full else 4)
    yield "epsilon", dict(common, prediction="epsilon", snr_gamma=5.0)
    if not full:
        yield "velocity", dict(common, prediction="v_prediction", snr_gamma=0.0)
        yield "text", dict(common, prediction="epsilon", snr_gamma=5.0, text_rank=3, text_alpha=2,
                           text_rate_factor=0.25)
        yield "bf16", dict(common, prediction="epsilon", snr_gamma=5.0, base_dtype="bfloat16")


def timestep(sample):
    return (sample * 617 + 131) % 1000


def learning_rate(case, step):
    if step < case["warmup"]:
        return (step + 1) / case["warmup"]
    done = (step - case["warmup"]) / (case["steps"] - case["warmup"])
    return 0.5 * (1 + math.cos(math.pi * done))


def token_ids(case, sample):
    return torch.tensor([(sample * 31 + 7 * place * place + place) % TEXT_ENCODER["vocab_size"]
                         for place in range(case["tokens"])])


def text_of(unet, text_encoder, case, samples):
    if text_encoder is not None:
        return text_encoder(torch.stack([token_ids(case, n) for n in samples])).last_hidden_state
    return torch.stack([mixed(TEXT + n, (case["tokens"], unet.config.cross_attention_dim)) for n in samples])


def loss_of(unet, text_encoder, scheduler, case, samples):
    shape = (4, case["height"], case["width"])
    latents = torch.stack([mixed(LATENT + n, shape) for n in samples])
    noise = torch.stack([2 * mixed(NOISE + n, shape) for n in samples])
    text = text_of(unet, text_encoder, case, samples)
    timesteps = torch.tensor([timestep(n) for n in samples])
    noisy = scheduler.add_noise(latents, noise, timesteps)
    if case["prediction"] == "epsilon":
        target = noise
    else:
        target = scheduler.get_velocity(latents, noise, timesteps)
    said = unet(noisy.to(unet.dtype), timesteps, text.to(unet.dtype), return_dict=False)[0]
    error = torch.nn.functional.mse_loss(said.float(), target.float(), reduction="none").mean([1, 2, 3])
    if case["snr_gamma"] > 0:
        snr = compute_snr(scheduler, timesteps)
        error = error * torch.stack([snr, torch.full_like(snr, case["snr_gamma"])]).min(0)[0] / snr
    return error.mean()


def add_lora(model, rank, alpha, targets, scale):
    """Its new parameters by the names of our files, fp32."""
    model.requires_grad_(False)
    model.add_adapter(LoraConfig(r=rank, lora_alpha=alpha, init_lora_weights="gaussian", target_modules=targets))
    cast_training_params(model, dtype=torch.float32)
    named = {n.replace(".default.", "."): p for n, p in model.named_parameters() if p.requires_grad}
    fill_mixed(list(named.items()), scale)
    return named


def text_encoder_of(case):
    """The text encoder and its LoRA by name; nothing where it is not trained."""
    if "text_rank" not in case:
        return None, {}
    model = CLIPTextModel(CLIPTextConfig(**TEXT_ENCODER)).eval()
    fill_mixed(list(model.named_parameters()), case["scale"])
    lora = add_lora(model, case["text_rank"], case["text_alpha"], ["q_proj", "k_proj", "v_proj", "out_proj"],
                    case["scale"])
    # transformers 5 leaves "text_model." out.
    return model, {"text_model." + n.removeprefix("text_model."): p for n, p in lora.items()}


def copies(prefix, tensors):
    return {prefix + n: t.detach().clone() for n, t in tensors.items()}


def train(config, case):
    unet = UNet2DConditionModel(**config)
    fill_mixed(list(unet.named_parameters()), case["scale"])
    unet.to(getattr(torch, case.get("base_dtype", "float32")))
    lora = add_lora(unet, case["rank"], case["alpha"], ["to_k", "to_q", "to_v", "to_out.0"], case["scale"])
    assert set(get_peft_model_state_dict(unet)) == set(lora)
    text_encoder, text_lora = text_encoder_of(case)
    scheduler = DDPMScheduler(prediction_type=case["prediction"], **SCHEDULE)
    parameters = [*lora.values(), *text_lora.values()]
    groups = [{"params": list(lora.values())}]
    if text_lora:
        groups.append({"params": list(text_lora.values()), "lr": case["learning_rate"] * case["text_rate_factor"]})
    optimizer = torch.optim.AdamW(groups, lr=case["learning_rate"], betas=(0.9, 0.999), eps=1e-8,
                                  weight_decay=case["weight_decay"])
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate(case, step))
    tensors, losses, sample = {}, [], 0
    for step in range(case["steps"]):
        total = 0.0
        for _ in range(case["accumulation"]):
            samples = range(sample, sample + case["batch"])
            sample += case["batch"]
            loss = loss_of(unet, text_encoder, scheduler, case, samples) / case["accumulation"]
            loss.backward()
            total += loss.item()
        if step == 0:
            tensors |= copies("grad.", {n: p.grad for n, p in lora.items()})
            tensors |= copies("text.grad.", {n: p.grad for n, p in text_lora.items()})
        torch.nn.utils.clip_grad_norm_(parameters, case["clip_norm"])
        optimizer.step()
        rates.step()
        optimizer.zero_grad()
        losses.append(total)
        print(step, total)
    tensors |= copies("final.", lora) | copies("text.final.", text_lora)
    tensors["losses"] = torch.tensor(losses, dtype=torch.float64)
    return tensors


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", type=pathlib.Path)
    full = parser.parse_args().full
    config = FULL if full else TINY
    for name, case in cases(bool(full)):
        tensors = {k: v.contiguous() for k, v in train(config, case).items()}
        path = full or FIXTURES / f"lora_training_{name}.safetensors"
        unet = {"_class_name": "UNet2DConditionModel"} | config
        text = {"architectures": ["CLIPTextModel"]} | TEXT_ENCODER
        save_file(tensors, path, metadata={"unet": json.dumps(unet), "case": json.dumps(case),
                                           "text_encoder": json.dumps(text)})
        path.chmod(0o644)
        print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
