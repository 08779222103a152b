"""Reads a data set of shards and its exports with the tools they are meant for.

    python tests/parity/export_readers.py FOLDER

FOLDER holds `set`, which DatasetSample.Write of tests/data/shards leaves, and
`imagefolder`, `safetensors` and `webdataset`, which `sonoforge export` made.
"""
import json
import pathlib
import sys

import datasets
import numpy as np
import webdataset
import yaml
from safetensors import safe_open


def read_webdataset(folder, pattern):
    urls = sorted(str(path) for path in folder.glob(pattern))
    data = webdataset.WebDataset(urls, shardshuffle=False).decode("l8")
    return list(data.to_tuple("__key__", "image.png", "mask.png", "json"))


def check_same(name, expected, found):
    assert len(found) == len(expected), (name, len(found), len(expected))
    for (key, image, mask, provenance), (image_2, mask_2, text) in zip(expected, found):
        assert np.array_equal(image, image_2) and np.array_equal(mask, mask_2), (name, key)
        assert json.loads(text) == provenance, (name, key)


def check_refused(name, expected, found):
    """The same comparison must see pairs that are in another order."""
    try:
        check_same(name, expected, found[1:] + found[:1])
    except AssertionError:
        return
    sys.exit(f"{name}: the comparison took exchanged pairs")


def image_folder(folder):
    rows = datasets.load_dataset("imagefolder", data_dir=str(folder), split="train")
    assert {"image", "id", "exam", "spacing_x_mm", "provenance"} <= set(rows.column_names), rows
    mask = "mask" if "mask" in rows.column_names else "mask_file_name"
    return [(np.asarray(row["image"]), np.asarray(row[mask]), row["provenance"]) for row in rows]


def safetensors(folder):
    found = []
    for path in sorted(folder.glob("train-*.safetensors")):
        with safe_open(path, "np") as file:
            images, masks = file.get_tensor("images"), file.get_tensor("masks")
            samples = json.loads(file.metadata()["samples"])
        assert images.dtype == np.uint8 and images.ndim == 3 and images.shape == masks.shape
        found += [(image, mask, sample["provenance"])
                  for image, mask, sample in zip(images, masks, samples)]
    return found


def exported_webdataset(folder):
    return [(image, mask, sample["provenance"])
            for _, image, mask, sample in read_webdataset(folder, "train-*.tar")]


def check_card(folder):
    _, front, text = (folder / "README.md").read_text().split("---\n", 2)
    front = yaml.safe_load(front)
    assert front["license"] == "cc-by-4.0" and "synthetic" in front["tags"], front
    assert front["size_categories"] == ["n<1K"], front
    assert "passed the quality gate" in text and "data set" in text, text


def main():
    root = pathlib.Path(sys.argv[1])
    everything = read_webdataset(root / "set", "shard-*.tar")
    assert [key for key, *_ in everything] == [f"{i:06d}" for i in range(10)]
    accepted = [pair for pair in everything if pair[3]["gate"]["accepted"]]
    assert 0 < len(accepted) < len(everything)
    for name, reader in (("imagefolder", image_folder), ("safetensors", safetensors),
                         ("webdataset", exported_webdataset)):
        found = reader(root / name)
        check_same(name, accepted, found)
        check_refused(name, accepted, found)
        print(f"{name}: {len(found)} pairs")
        check_card(root / name)


if __name__ == "__main__":
    main()
