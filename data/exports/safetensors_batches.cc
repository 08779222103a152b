// Batches of images as safetensors; see data/exports/export_writer.h.

#include <cstdio>
#include <map>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/safetensors_header.h"
#include "data/exports/export_writer.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

void append_pixels(std::string& bytes, const cv::Mat& pixels) {
  for (int y = 0; y < pixels.rows; ++y) {
    bytes.append(reinterpret_cast<const char*>(pixels.ptr(y)),
                 static_cast<std::size_t>(pixels.cols));
  }
}

class SafetensorsWriter : public ExportWriter {
 public:
  SafetensorsWriter(std::int64_t batch, const fs::path& dir)
      : batch_(batch), dir_(dir) {}

  void add(const ExportItem& item) override {
    const Sample& sample = item.sample;
    if (sample.mask.empty()) {
      throw DataError("image " + sample.id +
                      " has no mask; batches of images and masks need one for "
                      "every image, --format imagefolder does not");
    }
    Batch& batch = batches_[split_name(item)];
    if (batch.metadata.empty()) batch.size = sample.image.size();
    if (sample.image.size() != batch.size) {
      throw DataError(
          "image " + sample.id + " is " + std::to_string(sample.image.cols) +
          "x" + std::to_string(sample.image.rows) + " px, the one before it " +
          std::to_string(batch.size.width) + "x" +
          std::to_string(batch.size.height) +
          "; a batch holds images of one size: use another --format, or "
          "--batch 1");
    }
    append_pixels(batch.images, sample.image);
    append_pixels(batch.masks, sample.mask);
    batch.metadata.push_back(item_metadata(item));
    if (static_cast<std::int64_t>(batch.metadata.size()) == batch_) {
      write(split_name(item), batch);
    }
  }

  void finish() override {
    for (auto& [split, batch] : batches_) {
      if (!batch.metadata.empty()) write(split, batch);
    }
  }

 private:
  struct Batch {
    cv::Size size;
    std::string images, masks;  // [n, H, W]
    std::vector<nlohmann::json> metadata;
    int written = 0;
  };

  void write(const std::string& split, Batch& batch) {
    SafetensorsHeader header;
    const std::vector<std::int64_t> shape = {
        static_cast<std::int64_t>(batch.metadata.size()), batch.size.height,
        batch.size.width};
    header.entries = {{"images", "U8", shape}, {"masks", "U8", shape}};
    assign_offsets(header.entries);
    header.metadata["samples"] = nlohmann::json(batch.metadata).dump();
    char name[40];
    std::snprintf(name, sizeof(name), "-%05d.safetensors", batch.written++);
    write_file_atomic(dir_ / (split + name),
                      serialize_header(header) + batch.images + batch.masks);
    batch.images.clear();
    batch.masks.clear();
    batch.metadata.clear();
  }

  std::int64_t batch_;
  fs::path dir_;
  std::map<std::string, Batch> batches_;  // by split
};

}  // namespace

std::unique_ptr<ExportWriter> make_safetensors_writer(std::int64_t batch,
                                                      const fs::path& dir) {
  return std::make_unique<SafetensorsWriter>(batch, dir);
}

}  // namespace sono
