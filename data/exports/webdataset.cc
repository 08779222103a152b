// WebDataset's tars; see data/exports/export_writer.h.

#include <cstdio>
#include <map>

#include "core/atomic_file.h"
#include "data/exports/export_writer.h"
#include "data/formats/grey_png.h"
#include "data/shards/shard_index.h"
#include "data/shards/tar.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

class WebDatasetWriter : public ExportWriter {
 public:
  WebDatasetWriter(std::int64_t batch, const fs::path& dir)
      : batch_(batch), dir_(dir) {}

  void add(const ExportItem& item) override {
    Split& split = splits_[split_name(item)];
    if (!split.tar) split.tar = std::make_unique<TarWriter>();
    const std::string key = sample_key(split.count++);
    add_png(*split.tar, key + ".image.png", item.sample.image);
    if (!item.sample.mask.empty()) {
      add_png(*split.tar, key + ".mask.png", item.sample.mask);
    }
    split.tar->add(key + ".json", item_metadata(item).dump());
    if (split.count % batch_ == 0) write(split_name(item), split);
  }

  void finish() override {
    for (auto& [name, split] : splits_) {
      if (split.tar) write(name, split);
    }
  }

 private:
  struct Split {
    std::unique_ptr<TarWriter> tar;
    std::int64_t count = 0;
    int written = 0;
  };

  static void add_png(TarWriter& tar, const std::string& name,
                      const cv::Mat& pixels) {
    const auto png = encode_grey_png(pixels);
    tar.add(name, {reinterpret_cast<const char*>(png.data()), png.size()});
  }

  void write(const std::string& name, Split& split) {
    char number[24];
    std::snprintf(number, sizeof(number), "-%06d.tar", split.written++);
    write_file_atomic(dir_ / (name + number), split.tar->finish());
    split.tar.reset();
  }

  std::int64_t batch_;
  fs::path dir_;
  std::map<std::string, Split> splits_;
};

}  // namespace

std::unique_ptr<ExportWriter> make_webdataset_writer(std::int64_t batch,
                                                     const fs::path& dir) {
  return std::make_unique<WebDatasetWriter>(batch, dir);
}

}  // namespace sono
