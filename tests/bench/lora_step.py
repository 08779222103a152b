"""The peer of lora_step.cc: the loop of diffusers' train_text_to_image_lora.py
without accelerate, on PyTorch eager.

    python tests/bench/lora_step.py make FOLDER
    python tests/bench/lora_step.py FOLDER SIDE RANK STEPS [script]

`make` writes FOLDER/unet, random weights of Stable Diffusion 1.5's shape. The loop takes
latents and texts from a cache as ours does; with `script` it encodes image and text at
every step, as the script does. The weights are loaded in the leanest way there is.
"""

import json
import pathlib
import resource
import sys
import time

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from peft import LoraConfig
from safetensors.torch import load_file

THREADS, IMAGES, WARM_UP = 2, 8, 2
SHAPE = dict(sample_size=64, in_channels=4, out_channels=4, block_out_channels=[320, 640, 1280, 1280],
             down_block_types=["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
             up_block_types=["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3, layers_per_block=2,
             cross_attention_dim=768, attention_head_dim=8, norm_num_groups=32)


def make(folder):
    torch.manual_seed(0)
    UNet2DConditionModel(**SHAPE).save_pretrained(folder / "unet")


def load(folder):
    config = json.loads((folder / "unet/config.json").read_text())
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config)
    state = load_file(folder / "unet/diffusion_pytorch_model.safetensors")
    unet.load_state_dict(state, assign=True)
    return unet


class Cached:
    """Moments and texts, computed before."""

    def __init__(self, side):
        self.mean = [torch.randn(1, 4, side, side) for _ in range(IMAGES)]
        self.std = [torch.randn(1, 4, side, side).sub(4).mul(0.5).exp() for _ in range(IMAGES)]
        self.text = [torch.randn(1, 77, 768) for _ in range(IMAGES)]

    def __call__(self, step):
        i = step % IMAGES
        return (self.mean[i] + self.std[i] * torch.randn_like(self.std[i])) * 0.18215, self.text[i]


class Script:
    """Encodes at every step."""

    def __init__(self, side):
        from transformers import CLIPTextConfig, CLIPTextModel
        self.vae = AutoencoderKL(block_out_channels=[128, 256, 512, 512], layers_per_block=2, latent_channels=4,
                                 down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4)
        self.encoder = CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072,
                                                    num_hidden_layers=12, num_attention_heads=12))
        self.vae.requires_grad_(False)
        self.encoder.requires_grad_(False)
        self.image, self.ids = torch.rand(1, 3, 8 * side, 8 * side) * 2 - 1, torch.arange(77)[None]

    def __call__(self, step):
        return self.vae.encode(self.image).latent_dist.sample() * 0.18215, self.encoder(self.ids)[0]


def main():
    folder = pathlib.Path(sys.argv[2] if sys.argv[1] == "make" else sys.argv[1])
    if sys.argv[1] == "make":
        return make(folder)
    side, rank, steps = (int(a) for a in sys.argv[2:5])
    whole = sys.argv[5:] == ["script"]
    torch.set_num_threads(THREADS)
    unet = load(folder)
    unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian",
                                target_modules=["to_k", "to_q", "to_v", "to_out.0"]))
    parameters = [p for p in unet.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.01)
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    data = Script(side) if whole else Cached(side)
    seconds = []
    for step in range(steps + WARM_UP):
        start = time.perf_counter()
        latents, text = data(step)
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, 1000, (1,))
        noisy = scheduler.add_noise(latents, noise, timesteps)
        said = unet(noisy, timesteps, text, return_dict=False)[0]
        loss = torch.nn.functional.mse_loss(said.float(), noise.float(), reduction="mean")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
        if step >= WARM_UP:
            seconds.append(time.perf_counter() - start)
    name = f"lora_step/{'script' if whole else 'diffusers'}/{side}/r{rank}"
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for what, unit, values in (("time", "s", seconds), ("memory", "bytes", [peak])):
        print(json.dumps({"series": f"{name}/{what}", "unit": unit, "values": values, "ranks": 1}))


if __name__ == "__main__":
    main()
