"""Pairs a second that webdataset and MosaicML's MDS write and read: the peers of
tests/bench/dataset_bench.cc.

    python tests/bench/dataset_bench.py write PEER PNG POOL FOLDER COUNT ROUNDS
    python tests/bench/dataset_bench.py read PEER FOLDER COUNT ROUNDS

PEER: webdataset or mds. PNG: `default`, as the peer encodes an array, or a
level of zlib, with which Pillow encodes for it. POOL is what `dataset_bench
make` writes. MDS writes SHA-256 of its shards; webdataset has no checksums.
"""
import io
import json
import pathlib
import shutil
import sys
import time

import numpy as np
import torch
import webdataset
from PIL import Image
from streaming import MDSWriter, StreamingDataset
from torch.utils.data import DataLoader

SIDE, PAIRS_A_SHARD, BATCH = 256, 256, 64


def provenance(sample):
    return {"generator": "bench", "seed": 7, "sample": sample, "weights": "a" * 64,
            "config": "b" * 64, "gate": {"accepted": True, "reason": ""}}


def encoder(png):
    if png == "default":
        return lambda array: array

    def encode(array):
        out = io.BytesIO()
        Image.fromarray(array).save(out, "PNG", compress_level=int(png))
        return out.getvalue()
    return encode


def write_webdataset(samples, folder, encode, kind):
    del kind
    folder.mkdir()
    with webdataset.ShardWriter(str(folder / "%06d.tar"), maxcount=PAIRS_A_SHARD,
                                verbose=0) as sink:
        for i, (image, mask) in samples:
            sink.write({"__key__": f"{i:06d}", "image.png": encode(image),
                        "mask.png": encode(mask), "json": provenance(i)})


def write_mds(samples, folder, encode, kind):
    columns = {"key": "str", "image": kind, "mask": kind, "meta": "json"}
    with MDSWriter(out=str(folder), columns=columns, hashes=["sha256"]) as sink:
        for i, (image, mask) in samples:
            if kind == "png":  # takes pictures, not arrays
                image, mask = Image.fromarray(image), Image.fromarray(mask)
            sink.write({"key": f"{i:06d}", "image": encode(image), "mask": encode(mask),
                        "meta": provenance(i)})


def collate(samples):
    images, masks, metas = zip(*samples)
    pixels = np.stack([np.stack(images), np.stack(masks)], axis=1)
    return torch.from_numpy(pixels), metas


def read_webdataset(folder):
    urls = sorted(str(path) for path in folder.glob("*.tar"))
    data = (webdataset.WebDataset(urls, shardshuffle=len(urls)).shuffle(1000).decode("l8")
            .to_tuple("image.png", "mask.png", "json").batched(BATCH, collation_fn=collate))
    return DataLoader(data, batch_size=None, num_workers=2)


def as_array(value):
    return np.asarray(Image.open(io.BytesIO(value)) if isinstance(value, bytes) else value)


class Pairs(StreamingDataset):
    def __getitem__(self, index):
        sample = super().__getitem__(index)
        return as_array(sample["image"]), as_array(sample["mask"]), sample["meta"]


def read_mds(folder):
    data = Pairs(local=str(folder), shuffle=True, batch_size=BATCH)
    return DataLoader(data, batch_size=BATCH, num_workers=2, collate_fn=collate)


def report(series, unit, values):
    print(json.dumps({"series": f"dataset/{series}", "unit": unit, "values": values, "ranks": 1}),
          flush=True)


def write(peer, png, pool, folder, count, rounds):
    folder, encode, rates, core_rates = pathlib.Path(folder), encoder(png), [], []
    pairs = np.fromfile(pool, np.uint8).reshape(-1, 2, SIDE, SIDE)
    for _ in range(int(rounds)):
        shutil.rmtree(folder, ignore_errors=True)
        samples = ((i, pairs[i % len(pairs)]) for i in range(int(count)))
        start, start_cpu = time.perf_counter(), time.process_time()
        globals()[f"write_{peer}"](samples, folder, encode,
                                   "png" if png == "default" else "bytes")
        core_rates.append(int(count) / (time.process_time() - start_cpu))
        rates.append(int(count) / (time.perf_counter() - start))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    report(f"write/{peer}/{png}/rate", "pairs/s", rates)
    report(f"write/{peer}/{png}/core_rate", "pairs/CPU s", core_rates)
    report(f"write/{peer}/{png}/bytes", "bytes", [size / int(count)])


def read(peer, folder, count, rounds):
    rates = []
    for _ in range(int(rounds)):
        start = time.perf_counter()
        seen = sum(len(pixels) for pixels, _ in globals()[f"read_{peer}"](pathlib.Path(folder)))
        rates.append(seen / (time.perf_counter() - start))
        if seen != int(count):
            sys.exit(f"{peer} gave {seen} of {count} pairs")
    report(f"read/{peer}/rate", "pairs/s", rates)


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"write": write, "read": read}[sys.argv[1]](*sys.argv[2:])
