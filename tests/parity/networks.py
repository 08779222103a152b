"""Writes the fixtures that tests/models/unet and tests/models/vae compare the
Stable Diffusion networks with.

    python tests/parity/networks.py                 # the small committed ones
    python tests/parity/networks.py --full FOLDER   # the published sizes, to
                                                    # FOLDER; see full/networks

The peers are diffusers' UNet2DConditionModel, ControlNetModel and AutoencoderKL.
Weights are not in the files: both sides draw them from the parameters' names
(`drawn`, and tests/models/peer_weights.cc), so a name that differs shows.
Keys: input.*, output.*; stage.NAME.input/output of blocks alone; grad.NAME of
mean(output^2); the peer's config.json is in the metadata.
"""

import argparse
import json
import pathlib

import numpy as np
import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from diffusers.models.embeddings import get_timestep_embedding
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent

TINY = dict(block_out_channels=(32, 64), layers_per_block=1, norm_num_groups=8,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            cross_attention_dim=32, attention_head_dim=8)
TINY_UP = dict(up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"))
# Stable Diffusion 2.x's differences, and heads by level as it has them.
TINY_2 = dict(TINY, attention_head_dim=(4, 8), use_linear_projection=True,
              upcast_attention=True, num_class_embeds=5,
              only_cross_attention=(True, False), transformer_layers_per_block=2,
              mid_block_scale_factor=1.5, center_input_sample=True,
              conv_in_kernel=5)
TINY_CONTROL = dict(TINY, conditioning_embedding_out_channels=(8, 16))
TINY_VAE = dict(block_out_channels=(32, 64), layers_per_block=1, norm_num_groups=8,
                down_block_types=("DownEncoderBlock2D",) * 2,
                up_block_types=("UpDecoderBlock2D",) * 2)

FULL = dict(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
FULL_2 = dict(sample_size=96, cross_attention_dim=1024,
              attention_head_dim=(5, 10, 20, 20), use_linear_projection=True,
              upcast_attention=True)
FULL_VAE = dict(block_out_channels=(128, 256, 512, 512), layers_per_block=2,
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4)


def fnv1a(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def drawn(name, shape):
    """Uniform in a range that keeps signals alive; splitmix64 of (name, index)."""
    count = int(np.prod(shape))
    with np.errstate(over="ignore"):
        z = np.uint64(fnv1a(name)) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    unit = (z >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1
    if len(shape) > 1:
        values = unit * np.sqrt(3.0 * shape[0] / count)
    elif "norm" in name and name.endswith(".weight"):
        values = 1 + 0.3 * unit
    else:
        values = 0.3 * unit
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def with_drawn_weights(model):
    for name, parameter in model.named_parameters():
        parameter.data = drawn(name, tuple(parameter.shape))
    return model.eval()


def record_stages(model, names, tensors):
    """Inputs (batch entry 0) and outputs of some blocks of the next call."""
    def hook(name):
        def record(module, args, kwargs, output):
            tensors[f"stage.{name}.input"] = (args[0] if args else kwargs["hidden_states"])[:1]
            output = output[0] if isinstance(output, tuple) else output
            tensors[f"stage.{name}.output"] = getattr(output, "sample", output)[:1]
        return record
    return [model.get_submodule(n).register_forward_hook(hook(n), with_kwargs=True)
            for n in names]


def save(folder, name, tensors, config):
    path = folder / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    tensors = {k: v.detach().contiguous().clone() for k, v in tensors.items()}
    text = json.dumps({"_class_name": config["_class_name"],
                       **{k: v for k, v in config.items() if not k.startswith("_")}})
    save_file(tensors, path, metadata={"config": text})
    print(path, path.stat().st_size, "bytes")


def config_of(model):
    return dict(model.config, _class_name=type(model).__name__)


def unet_fixture(folder, name, options, height, width, stages=()):
    torch.manual_seed(0)
    model = with_drawn_weights(UNet2DConditionModel(**options))
    sample = torch.randn(3, model.config.in_channels, height, width)
    text = torch.randn(3, 77 if height > 8 else 7, model.config.cross_attention_dim)
    timesteps = torch.tensor([0, 1, 999])
    classes = model.config.num_class_embeds
    labels = dict(class_labels=torch.tensor([1, 0, 4])) if classes else {}
    tensors = {"input.sample": sample, "input.text": text, "input.timesteps": timesteps}
    if classes:
        tensors["input.class_ids"] = labels["class_labels"]
    with torch.no_grad():
        hooks = record_stages(model, stages, tensors)
        tensors["output"] = model(sample, timesteps, text, **labels).sample
        for hook in hooks:
            hook.remove()
        one = {k: v[2:] for k, v in labels.items()}
        tensors["output.one"] = model(sample[2:], torch.tensor([500]), text[2:], **one).sample
    if stages:
        for flip, shift in ((True, 0), (False, 1)):
            tensors[f"output.sinusoid.{shift}"] = get_timestep_embedding(
                torch.tensor([0, 1, 500, 999]), 32, flip, shift)
        gradients(model, sample, timesteps, text, labels, tensors)
        half = torch.bfloat16
        with torch.no_grad():
            tensors["output.bf16"] = model.to(half)(
                sample.to(half), timesteps, text.to(half)).sample.float()
    save(folder, name, tensors, config_of(model))


def gradients(model, sample, timesteps, text, labels, tensors):
    model = model.double()
    sample, text = sample.double().requires_grad_(), text.double().requires_grad_()
    model(sample, timesteps, text, **labels).sample.square().mean().backward()
    tensors["grad.sample"], tensors["grad.text"] = sample.grad.float(), text.grad.float()
    for key, parameter in model.named_parameters():
        if parameter.numel() <= 64 and ("attn" in key or "norm" in key):
            tensors["grad." + key] = parameter.grad.float()
    model.float()


def controlnet_fixture(folder, name, options, unet_options, height, width, factor):
    torch.manual_seed(1)
    net = with_drawn_weights(ControlNetModel(**options))
    unet = with_drawn_weights(UNet2DConditionModel(**unet_options))
    sample = torch.randn(2, 4, height, width)
    text = torch.randn(2, 7, net.config.cross_attention_dim)
    image = torch.rand(2, 3, factor * height, factor * width)
    timesteps = torch.tensor([3, 700])
    tensors = {"input.sample": sample, "input.text": text, "input.timesteps": timesteps,
               "input.image": image}
    with torch.no_grad():
        down, mid = net(sample, timesteps, text, image, conditioning_scale=0.7,
                        return_dict=False)
        for i, residual in enumerate(down):
            tensors[f"output.down.{i}"] = residual
        tensors["output.mid"] = mid
        tensors["output.unet"] = unet(
            sample, timesteps, text, down_block_additional_residuals=down,
            mid_block_additional_residual=mid).sample
        down, mid = net(sample, timesteps, text, image, guess_mode=True, return_dict=False)
        tensors["output.guess.down.0"], tensors["output.guess.mid"] = down[0], mid
        tensors["output.guess.down.1"] = down[1]
    for key in [k for k in tensors if k.startswith("output.")]:
        tensors[key] = tensors[key][1:]  # the second of the batch
    save(folder, name, tensors, config_of(net))


def vae_fixture(folder, name, options, height, width):
    torch.manual_seed(2)
    model = with_drawn_weights(AutoencoderKL(**options))
    factor = 2 ** (len(options["block_out_channels"]) - 1)
    image = torch.rand(2, 3, factor * height, factor * width) * 2 - 1
    noise = torch.randn(2, 4, height, width)
    with torch.no_grad():
        moments = model.encode(image).latent_dist
        latent = moments.mean + moments.std * noise
        tensors = {"input.image": image, "input.noise": noise, "output.mean": moments.mean,
                   "output.logvar": moments.logvar, "output.sample": latent,
                   "output.decoded": model.decode(noise).sample}
    save(folder, name, tensors, config_of(model))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", type=pathlib.Path)
    full = parser.parse_args().full
    if full:
        vae_fixture(full, "vae", FULL_VAE, 24, 40)
        unet_fixture(full, "text_unet", FULL, 24, 40)
        unet_fixture(full, "text_unet_2", FULL_2, 24, 40)
        control = {k: v for k, v in FULL.items() if k != "sample_size"}
        controlnet_fixture(full, "controlnet", control, FULL, 24, 40, 8)
        return
    folder = HERE / "fixtures"
    unet_fixture(folder, "text_unet", dict(TINY, **TINY_UP), 4, 6, (
        "down_blocks.0.resnets.0", "down_blocks.0.attentions.0",
        "down_blocks.0.attentions.0.transformer_blocks.0",
        "down_blocks.0.attentions.0.transformer_blocks.0.ff", "mid_block"))
    unet_fixture(folder, "text_unet_2", dict(TINY_2, **TINY_UP), 5, 6)
    controlnet_fixture(folder, "controlnet", TINY_CONTROL, dict(TINY, **TINY_UP), 4, 6, 2)
    vae_fixture(folder, "vae", TINY_VAE, 3, 5)


if __name__ == "__main__":
    main()
