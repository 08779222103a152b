"""Checks 1 and 2 at full size: CLIP's own vocabulary, text encoders as large as
Stable Diffusion's.

    python tests/parity/full/clip.py BUILD [FOLDER]

BUILD is the build folder with tests/clip_test. The vocabulary comes out of
open_clip's wheel, which pip fetches; weights are drawn from N(0, 0.05), norms
around 1. Prints a line a check; ends 1 when one fails.
"""

import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
import clip  # noqa: E402

SIZES = {
    "SD 1": dict(vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
                 num_attention_heads=12),
    "SD 2": dict(vocab_size=49408, hidden_size=1024, intermediate_size=4096,
                 num_hidden_layers=23, num_attention_heads=16)}


def published_merges(folder):
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder,
                    "open-clip-torch"], check=True)
    wheel = next(pathlib.Path(folder).glob("open_clip*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read("open_clip/bpe_simple_vocab_16e6.txt.gz")
    lines = gzip.decompress(packed).decode().split("\n")
    return lines[1:49152 - 256 - 2 + 1]


def run(build, folder, only):
    """{test name: properties}; None for a test that failed."""
    report = folder / "report.json"
    subprocess.run([pathlib.Path(build) / "tests" / "clip_test", f"--gtest_filter={only}",
                    f"--gtest_output=json:{report}"], check=False, stdout=subprocess.DEVNULL,
                   env={**os.environ, "CLIP_FULL": str(folder)})
    tests = [t for suite in json.loads(report.read_text())["testsuites"]
             for t in suite["testsuite"]]
    return {t["name"]: None if "failures" in t else t for t in tests}


def tell(check, what, passed):
    print(f"check {check}: {what} {'PASS' if passed else 'FAIL'}", flush=True)
    return passed


def check_tokenizer(build, folder):
    clip.write_tokenizer_cases(folder / "tokenizer", published_merges(folder))
    tests = run(build, folder, "ClipTokenizerTest.IdsEqualThePeers")
    count = len(clip.prompts()) * len(clip.SETTINGS)
    return tell(1, f"ids of {count} prompts, 49408 tokens (exact)",
                len(tests) == 1 and None not in tests.values())


def check_text_model(build, folder, name, size):
    clip.write_text_model(folder / "clip_text.safetensors", 0.05, 77, **size)
    tests = run(build, folder, "*ClipTextParity.*")
    passed = len(tests) == 8 and None not in tests.values()
    errors = [t for t in tests.values() if t]
    worst = {key: max((float(t[key]) for t in errors if key in t), default=float("nan"))
             for key in ("max_error", "bf16_error")}
    return tell(2, f"{name}: max error {worst['max_error']:.1e} (tolerance 1e-05), bf16 "
                   f"{worst['bf16_error']:.1e} (tolerance 2e-02)", passed)


def main():
    build = sys.argv[1]
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as made:
        folder = pathlib.Path(made)
        results = [check_tokenizer(build, folder)]
        results += [check_text_model(build, folder, n, s) for n, s in SIZES.items()]
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
