"""Writes the fixture that tests/trainer/latent/mask_training_test.cc compares training
with a shown mask with.

    python tests/parity/mask_training.py

Two peers on the loop of lora_training.py, one step of it: diffusers' ControlNetModel,
trained beside a UNet that stays as it is (train_controlnet.py), and a UNet with a fifth
input channel whose weights learn beside a LoRA. Keys: CASE.loss, CASE.grad.NAME; of the
ControlNet the parameters of at most 64 elements. All values going in are mixed_values.
"""

import json

import torch
from diffusers import ControlNetModel, DDPMScheduler, UNet2DConditionModel
from lora_training import FIXTURES, LATENT, NOISE, SCHEDULE, TEXT, TINY, add_lora, cases, timestep
from mixed_values import fill_mixed, mixed
from safetensors.torch import save_file

IMAGE, CHANNEL, ADDED = 4000000, 5000000, 6000000
ATTENTION = ["to_k", "to_q", "to_v", "to_out.0"]
FACTOR = 2  # image pixels a latent one
SAMPLES = range(4)


def small_unet(case, **changes):
    unet = UNet2DConditionModel(**(TINY | changes))
    fill_mixed(list(unet.named_parameters()), case["scale"])
    return unet


def loss_of(case, predict):
    size = (case["height"], case["width"])
    latents = torch.stack([mixed(LATENT + n, (4, *size)) for n in SAMPLES])
    noise = torch.stack([2 * mixed(NOISE + n, (4, *size)) for n in SAMPLES])
    text = torch.stack([mixed(TEXT + n, (case["tokens"], TINY["cross_attention_dim"])) for n in SAMPLES])
    timesteps = torch.tensor([timestep(n) for n in SAMPLES])
    noisy = DDPMScheduler(**SCHEDULE).add_noise(latents, noise, timesteps)
    return (predict(noisy, timesteps, text) - noise).square().mean()


def controlnet(case):
    unet = small_unet(case)
    unet.requires_grad_(False)
    shared = {k: v for k, v in TINY.items() if k not in ("sample_size", "out_channels", "up_block_types")}
    net = ControlNetModel(**shared, conditioning_embedding_out_channels=(16, 32))
    fill_mixed(list(net.named_parameters()), case["scale"])
    image = torch.stack([mixed(IMAGE + n, (3, FACTOR * case["height"], FACTOR * case["width"])) for n in SAMPLES])

    def predict(noisy, timesteps, text):
        down, mid = net(noisy, timesteps, text, image, return_dict=False)
        return unet(noisy, timesteps, text, down_block_additional_residuals=down,
                    mid_block_additional_residual=mid).sample

    loss = loss_of(case, predict)
    loss.backward()
    return loss, {n: p.grad for n, p in net.named_parameters() if p.numel() <= 64}


def concat(case):
    plain = small_unet(case)
    unet = UNet2DConditionModel(**(TINY | dict(in_channels=5)))
    added = case["scale"] * mixed(ADDED, (TINY["block_out_channels"][0], 1, 3, 3))
    state = plain.state_dict()
    state["conv_in.weight"] = torch.cat([state["conv_in.weight"], added], 1)
    unet.load_state_dict(state)
    lora = add_lora(unet, case["rank"], case["alpha"], ATTENTION, case["scale"])
    unet.conv_in.weight.requires_grad_(True)
    channel = torch.stack([mixed(CHANNEL + n, (1, case["height"], case["width"])) for n in SAMPLES])
    loss = loss_of(case, lambda noisy, timesteps, text: unet(torch.cat([noisy, channel], 1), timesteps, text).sample)
    loss.backward()
    gradients = {n: p.grad for n, p in lora.items()}
    return loss, gradients | {"conv_in_added.weight": unet.conv_in.weight.grad[:, 4:]}


def main():
    case = dict(next(iter(cases(False)))[1], snr_gamma=0.0)
    tensors = {}
    for name, run in (("controlnet", controlnet), ("concat", concat)):
        loss, gradients = run(case)
        tensors[f"{name}.loss"] = loss.detach()
        tensors |= {f"{name}.grad.{n}": g.contiguous() for n, g in gradients.items()}
    path = FIXTURES / "mask_training.safetensors"
    unet = {"_class_name": "UNet2DConditionModel"} | TINY
    save_file(tensors, path, metadata={"unet": json.dumps(unet), "case": json.dumps(case)})
    path.chmod(0o644)
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
