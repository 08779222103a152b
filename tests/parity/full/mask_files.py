"""What trainings with a shown mask write opens in diffusers.

    python tests/parity/full/mask_files.py

Makes a small Stable Diffusion with random weights, lets `build/release/sonoforge train
diffusion` train a ControlNet, and a LoRA with a mask channel and one on the text
encoder, and loads the files with `ControlNetModel.from_pretrained` and
`load_lora_weights` into a pipeline whose UNet takes five channels: no missing and no
unexpected key, and the layers differ from what they started as. Ends 1 when not.
"""

import pathlib
import subprocess
import sys
import tempfile

import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from lora_training import TINY  # noqa: E402

PROGRAM = HERE.parents[2] / "build/release/sonoforge"
SETTINGS = ["data.resolution=32", "data.step=8", "data.min_side=16", "data.max_side=64", "lora.rank=2",
            "train.steps=3", "train.learning_rate=1e-2"]
CASES = {"control": ["data.channels=controlnet"],
         "concat": ["data.channels=concat", "text_lora.targets=attention", "text_lora.rank=2"]}


def make_pipeline():
    torch.manual_seed(0)
    tokenizer = CLIPTokenizer.from_pretrained(HERE.parent / "fixtures/clip_tokenizer", model_max_length=77)
    text = CLIPTextModel(CLIPTextConfig(vocab_size=len(tokenizer), hidden_size=6, intermediate_size=12,
                                        num_hidden_layers=2, num_attention_heads=2))
    vae = AutoencoderKL(block_out_channels=[8, 8], norm_num_groups=4, latent_channels=4,
                        down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2)
    return StableDiffusionPipeline(
        vae=vae, text_encoder=text, tokenizer=tokenizer, unet=UNet2DConditionModel(**TINY),
        scheduler=DDIMScheduler(beta_schedule="scaled_linear"), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False)


def train(folder, name):
    sets = [word for setting in [*SETTINGS, *CASES[name], f"model.path={folder}/model", f"data.folder={folder}/heads"]
            for word in ("--set", setting)]
    subprocess.run([PROGRAM, "train", "diffusion", "--out", folder / name, *sets], check=True)


def check_control(folder, pipeline):
    net, info = ControlNetModel.from_pretrained(folder / "control/controlnet", output_loading_info=True)
    clean = not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    start = pipeline.unet.state_dict()["conv_in.weight"]
    moved = not torch.equal(net.conv_in.weight, start) and net.controlnet_mid_block.weight.abs().max() > 0
    return clean and bool(moved)


def check_concat(folder, pipeline):
    files = folder / "concat/lora/diffusers"
    conv_in = load_file(files / "conv_in.safetensors")
    wide = UNet2DConditionModel(**(TINY | dict(in_channels=5)))
    wide.load_state_dict(pipeline.unet.state_dict() | conv_in)
    as_published = torch.equal(conv_in["conv_in.weight"][:, :4], pipeline.unet.conv_in.weight)
    pipeline.unet = wide
    pipeline.load_lora_weights(files)
    loaded = {name for part in (pipeline.unet, pipeline.text_encoder) for name, _ in part.named_parameters()
              if "lora_B" in name}
    keys = [k for k in load_file(files / "pytorch_lora_weights.safetensors") if "lora_B" in k]
    return as_published and len(loaded) == len(keys) > 8 and conv_in["conv_in.weight"][:, 4:].abs().max() > 0


def main():
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(made)
        pipeline = make_pipeline()
        pipeline.save_pretrained(folder / "model")
        subprocess.run([PROGRAM, "phantom", "--count", "4", "--out", folder / "heads"], check=True)
        results = []
        for name, check in (("control", check_control), ("concat", check_concat)):
            train(folder, name)
            results.append(bool(check(folder, pipeline)))
            print(f"{name}: {'PASS' if results[-1] else 'FAIL'}")
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
