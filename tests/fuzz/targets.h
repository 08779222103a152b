#pragma once
// What the fuzzers run: readers of files that strangers wrote. Each takes any
// bytes and returns 0, or lets an error through that is a fault: anything but a
// DataError. Not for several threads.

#include <cstddef>
#include <cstdint>

namespace sono::fuzz {

// A .safetensors file; every byte of the tensors is read.
int fuzz_safetensors(const std::uint8_t* data, std::size_t size);
// A *.index.json of shards that do not exist.
int fuzz_index(const std::uint8_t* data, std::size_t size);
// A .pth or .ckpt file.
int fuzz_checkpoint(const std::uint8_t* data, std::size_t size);
// The pickle inside one.
int fuzz_pickle(const std::uint8_t* data, std::size_t size);
// A model's config.json, asked for fields of every type.
int fuzz_config(const std::uint8_t* data, std::size_t size);
// The first byte chooses a tokenizer file that the rest replaces, or the
// prompt.
int fuzz_tokenizer(const std::uint8_t* data, std::size_t size);
// A PNG, JPEG or TIFF file.
int fuzz_image(const std::uint8_t* data, std::size_t size);
// A DICOM file: its facts and its last frame.
int fuzz_dicom(const std::uint8_t* data, std::size_t size);
// A NIfTI file: its facts, its last slice, and its first as labels.
int fuzz_nifti(const std::uint8_t* data, std::size_t size);
// A tar archive.
int fuzz_tar(const std::uint8_t* data, std::size_t size);
// A table.
int fuzz_csv(const std::uint8_t* data, std::size_t size);

}  // namespace sono::fuzz
