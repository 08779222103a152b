"""Makes fixtures of CLIPTokenizer and CLIPTextModel for tests/models/text.

    python tests/parity/clip.py

fixtures/clip_tokenizer/: a small vocabulary and merges, learnt from this
script's own sentences, and cases.json: prompts and their ids, with the special
tokens as in Stable Diffusion 1 and 2, from transformers' CLIPTokenizer.
fixtures/clip_text.safetensors: a small CLIPTextModel with every parameter drawn
from N(0, 0.3) (norms around 1), token ids and hidden states.
"""

import json
import pathlib
import tempfile

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from clip_prompts import WORDS, prompts

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
START, END = "<|startoftext|>", "<|endoftext|>"


def added(token, normalized):
    return {"__type": "AddedToken", "content": token, "lstrip": False, "normalized": normalized,
            "rstrip": False, "single_word": False, "special": True}


# tokenizer_config.json as published with Stable Diffusion 1 and 2, and none.
SETTINGS = {
    "none": None,
    "sd1": {"bos_token": added(START, True), "eos_token": added(END, True),
            "unk_token": added(END, True), "pad_token": END, "model_max_length": 77,
            "tokenizer_class": "CLIPTokenizer"},
    "sd2": {"bos_token": added(START, True), "eos_token": added(END, True),
            "unk_token": added(END, True), "pad_token": "!", "model_max_length": 77,
            "tokenizer_class": "CLIPTokenizer"},
    "listed": {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END,
               "tokenizer_class": "CLIPTokenizer",
               "added_tokens_decoder": {START: added(START, True), END: added(END, True)}},
}


def byte_symbols():
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = [b for b in range(256) if b not in kept]
    return [chr(b) for b in kept] + [chr(256 + i) for i in range(len(moved))]


def learn_merges(count):
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    learner.train_from_iterator(
        [w.lower() for w in WORDS] * 3,
        trainers.BpeTrainer(vocab_size=600 + count, min_frequency=1, show_progress=False,
                            end_of_word_suffix="</w>"))
    merges = json.loads(learner.to_str())["model"]["merges"]
    return [m if isinstance(m, str) else " ".join(m) for m in merges][:count]


def write_tokenizer(folder, merges, settings=None):
    symbols = byte_symbols()
    tokens = symbols + [s + "</w>" for s in symbols]
    tokens += [t for t in dict.fromkeys("".join(m.split()) for m in merges) if t not in tokens]
    tokens += [START, END]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(
        json.dumps({t: i for i, t in enumerate(tokens)}, ensure_ascii=False, separators=(",", ":")))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    if settings:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return len(tokens)


def tokenizer_cases(merges):
    """{setting: ids a prompt, without start, end and padding}"""
    ids = {}
    for name, settings in SETTINGS.items():
        with tempfile.TemporaryDirectory() as folder:
            if settings and "added_tokens_decoder" in settings:  # by id, as it is saved
                size = write_tokenizer(pathlib.Path(folder), merges)
                settings["added_tokens_decoder"] = {
                    str(size - 2): settings["added_tokens_decoder"][START],
                    str(size - 1): settings["added_tokens_decoder"][END]}
            write_tokenizer(pathlib.Path(folder), merges, settings)
            peer = CLIPTokenizer.from_pretrained(folder)
            ids[name] = [peer(p).input_ids[1:-1] for p in prompts()]
            padded = peer(prompts()[:16], padding="max_length", truncation=True, max_length=77)
            ids[name + "_padded"] = padded.input_ids
    for name in ("sd1", "sd2", "listed"):  # written only where they differ
        ids[name] = {i: a for i, (a, b) in enumerate(zip(ids[name], ids["none"])) if a != b}
    return ids


def randomize(model, deviation):
    for name, parameter in model.named_parameters():
        mean = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        torch.nn.init.normal_(parameter, mean, deviation)


def write_text_model(path, deviation, length, **size):
    """Both activations over the same parameters, which the file holds once."""
    torch.manual_seed(0)
    tensors, metadata, parameters = {}, {}, None
    for act in ("quick_gelu", "gelu"):
        config = CLIPTextConfig(max_position_embeddings=length, hidden_act=act,
                                projection_dim=size["hidden_size"],
                                bos_token_id=size["vocab_size"] - 2,
                                eos_token_id=size["vocab_size"] - 1, **size)
        model = CLIPTextModel(config).eval()
        if parameters is None:
            randomize(model, deviation)
            parameters = {k: v.clone() for k, v in model.state_dict().items()
                          if "position_ids" not in k}
        model.load_state_dict(parameters)
        ids = torch.randint(0, size["vocab_size"], (2, length),
                            generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            out = model(ids, output_hidden_states=True)
            norm = getattr(model, "text_model", model).final_layer_norm
            tensors[f"{act}.skip1"] = out.last_hidden_state
            tensors[f"{act}.skip2"] = norm(out.hidden_states[-2])
            tensors[f"{act}.short"] = model(ids[:1, :5]).last_hidden_state
            tensors[f"{act}.bf16"] = model.bfloat16()(ids).last_hidden_state.float()
        metadata[act] = config.to_json_string()
    prefix = "param." if "text_model.final_layer_norm.weight" in parameters else "param.text_model."
    tensors |= {"ids": ids, **{prefix + k: v for k, v in parameters.items()}}
    save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata=metadata)


def write_tokenizer_cases(folder, merges):
    write_tokenizer(folder, merges)
    cases = {"prompts": prompts(), "settings": SETTINGS, "ids": tokenizer_cases(merges)}
    (folder / "cases.json").write_text(json.dumps(cases, separators=(",", ":")))


def main():
    folder = FIXTURES / "clip_tokenizer"
    write_tokenizer_cases(folder, learn_merges(300))
    write_text_model(FIXTURES / "clip_text.safetensors", 0.3, 16, vocab_size=50, hidden_size=16,
                     intermediate_size=32, num_hidden_layers=3, num_attention_heads=4)
    for path in [*folder.iterdir(), FIXTURES / "clip_text.safetensors"]:
        print(path.name, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
