"""A single file in the names of the original code, of Stable Diffusion 1.5's size, trains
the LoRA that the same weights in diffusers' folder train.

    python tests/parity/full/single_file.py [FOLDER]

Writes random bf16 weights twice, 2 GB each, the original names by diffusers' own
converters (original_names.py), and runs `build/release/sonoforge train diffusion` on
both, two steps at 64 px. Their LoRA files must be equal in every byte; ends 1 if not.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parent))
from networks import FULL, FULL_VAE  # noqa: E402
from original_names import pairs_of  # noqa: E402

PROGRAM = ROOT / "build/release/sonoforge"
TOKENIZER = HERE.parent / "fixtures/clip_tokenizer"
TEXT = dict(vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
            num_attention_heads=12)
PARTS = {"unet": (UNet2DConditionModel, FULL, "model.diffusion_model.", "diffusion_pytorch_model"),
         "vae": (AutoencoderKL, FULL_VAE, "first_stage_model.", "diffusion_pytorch_model"),
         "text_encoder": (None, TEXT, "cond_stage_model.transformer.", "model")}
SCHEDULER = dict(_class_name="PNDMScheduler", beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012,
                 num_train_timesteps=1000, set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1)


def random_state(shapes):
    """Norms near 1, else variance 1 / fan-in."""
    state = {}
    for name, shape in shapes.items():
        values = torch.randn(shape)
        if len(shape) > 1:
            values /= (values[0].numel()) ** 0.5
        else:
            values = values * 0.05 + ("norm" in name and name.endswith("weight"))
        state[name] = values.bfloat16()
    return state


def shapes_of(part):
    kind, size, _, _ = PARTS[part]
    with torch.device("meta"):
        model = CLIPTextModel(CLIPTextConfig(**size)) if kind is None else kind(**size)
    bare = {n: p.shape for n, p in model.named_parameters()}
    config = {"architectures": ["CLIPTextModel"], **size} if kind is None else {
        "_class_name": kind.__name__, **{k: v for k, v in model.config.items() if not k.startswith("_")}}
    if kind is None:  # transformers 5 leaves "text_model." out
        bare = {"text_model." + n.removeprefix("text_model."): s for n, s in bare.items()}
    return bare, config


def write_models(folder):
    torch.manual_seed(0)
    names = pairs_of([4, 8, 16, 16], [1, 1, 1, 0], 2)
    single = {}
    for part, (_, _, prefix, file) in PARTS.items():
        shapes, config = shapes_of(part)
        state = random_state(shapes)
        (folder / "model" / part).mkdir(parents=True)
        (folder / "model" / part / "config.json").write_text(json.dumps(config))
        save_file(state, folder / "model" / part / f"{file}.safetensors")
        for own, values in state.items():
            original = names[part][own] if part in names else own
            # The original autoencoder's attention is of 1x1 convolutions.
            pointwise = part == "vae" and values.dim() == 2
            single[prefix + original] = values[:, :, None, None] if pointwise else values
    save_file(single, folder / "single.safetensors")
    (folder / "model/scheduler").mkdir()
    (folder / "model/scheduler/scheduler_config.json").write_text(json.dumps(SCHEDULER))
    (folder / "model/tokenizer").symlink_to(TOKENIZER)


def train(folder, name, *model):
    settings = ["data.resolution=64", "data.step=64", "data.min_side=64", "data.max_side=64", "lora.rank=4",
                "train.steps=2", "train.checkpoint_every=0", f"data.folder={folder}/heads", *model]
    sets = [word for setting in settings for word in ("--set", setting)]
    subprocess.run([PROGRAM, "train", "diffusion", "--out", folder / name, *sets], check=True)
    return (folder / name / "lora/diffusers/pytorch_lora_weights.safetensors").read_bytes()


def main():
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as made:
        folder = pathlib.Path(made)
        write_models(folder)
        subprocess.run([PROGRAM, "phantom", "--count", "2", "--out", folder / "heads"], check=True)
        whole = train(folder, "of_folder", f"model.path={folder}/model")
        single = train(folder, "of_file", f"model.path={folder}/single.safetensors",
                       f"model.tokenizer={TOKENIZER}")
    equal = whole == single
    print(f"single file: the LoRA of the folder's, {len(whole)} bytes, {'PASS' if equal else 'FAIL'}")
    sys.exit(not equal)


if __name__ == "__main__":
    main()
