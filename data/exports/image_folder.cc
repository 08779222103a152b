// Hugging Face's imagefolder; see data/exports/export_writer.h.

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <map>

#include "core/atomic_file.h"
#include "core/error.h"
#include "data/exports/export_writer.h"
#include "data/image_file.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kImagesPerFolder = 1000;

class ImageFolderWriter : public ExportWriter {
 public:
  explicit ImageFolderWriter(const fs::path& dir) : dir_(dir) {}

  void add(const ExportItem& item) override {
    Split& split = open(split_name(item));
    char stem[40];
    std::snprintf(stem, sizeof(stem), "%04lld/%06lld",
                  static_cast<long long>(split.count / kImagesPerFolder),
                  static_cast<long long>(split.count));
    if (split.count++ % kImagesPerFolder == 0) {
      make_directories((split.folder / stem).parent_path());
    }
    nlohmann::json line = item_metadata(item);
    line["file_name"] = std::string(stem) + ".png";
    write_png(split.folder / (std::string(stem) + ".png"), item.sample.image);
    line["mask_file_name"] = nullptr;
    if (!item.sample.mask.empty()) {
      line["mask_file_name"] = std::string(stem) + ".mask.png";
      write_png(split.folder / (std::string(stem) + ".mask.png"),
                item.sample.mask);
    }
    split.lines << line.dump() << "\n";
  }

  void finish() override {
    for (auto& [name, split] : splits_) {
      split.lines.close();
      if (!split.lines) throw_file_error(split.temporary, "write", errno);
      commit_file(split.temporary, split.folder / "metadata.jsonl");
    }
  }

 private:
  struct Split {
    fs::path folder, temporary;
    std::ofstream lines;
    std::int64_t count = 0;
  };

  Split& open(const std::string& name) {
    Split& split = splits_[name];
    if (!split.folder.empty()) return split;
    split.folder = dir_ / name;
    make_directories(split.folder);
    split.temporary = temporary_name(split.folder / "metadata.jsonl");
    split.lines.open(split.temporary, std::ios::binary);
    if (!split.lines) throw_file_error(split.temporary, "open", errno);
    return split;
  }

  fs::path dir_;
  std::map<std::string, Split> splits_;
};

}  // namespace

std::unique_ptr<ExportWriter> make_image_folder_writer(const fs::path& dir) {
  return std::make_unique<ImageFolderWriter>(dir);
}

}  // namespace sono
