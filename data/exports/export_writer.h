#pragma once
// Images written for other tools, one at a time, in the order given. Files are
// called by number, so no name of a source reaches a path.
//
//   imagefolder   SPLIT/metadata.jsonl, SPLIT/0000/000000.png and .mask.png:
//                 datasets.load_dataset("imagefolder", data_dir=DIR)
//   safetensors   SPLIT-00000.safetensors: images and masks, U8 [N, H, W], ids
//                 in the header's metadata
//   webdataset    SPLIT-000000.tar: 000000.image.png, .mask.png, .json
//
// SPLIT is train or test. What is known of an image goes with it: id, exam,
// patient, spacing_x_mm, spacing_y_mm, hc_mm, trimester (null when unknown),
// synthetic, provenance (of a synthetic pair, as text).

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/sample.h"

namespace sono {

struct ExportItem {
  Sample sample;
  nlohmann::json provenance = nullptr;
  bool test = false;
};

class ExportWriter {
 public:
  virtual ~ExportWriter() = default;
  virtual void add(const ExportItem& item) = 0;
  // Writes what is still held; call once.
  virtual void finish() = 0;
};

// The formats above.
const std::vector<std::string>& export_formats();

// `batch`: images a safetensors file or a tar. ConfigError for an unknown
// format, or when `dir` holds anything already.
std::unique_ptr<ExportWriter> make_export_writer(
    const std::string& format, std::int64_t batch,
    const std::filesystem::path& dir);

// The fields above.
nlohmann::json item_metadata(const ExportItem& item);
const char* split_name(const ExportItem& item);

std::unique_ptr<ExportWriter> make_image_folder_writer(
    const std::filesystem::path& dir);
std::unique_ptr<ExportWriter> make_safetensors_writer(
    std::int64_t batch, const std::filesystem::path& dir);
std::unique_ptr<ExportWriter> make_webdataset_writer(
    std::int64_t batch, const std::filesystem::path& dir);

}  // namespace sono
