#include "data/layouts/pairs.h"

#include <string>
#include <utility>

#include "core/error.h"
#include "data/layouts/folder.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// The first of the names that is a folder in `dir`; empty when none is.
fs::path find_folder(const fs::path& dir,
                     const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (fs::is_directory(dir / name)) return dir / name;
  }
  return {};
}

fs::path find_mask(const fs::path& masks, const fs::path& image) {
  const std::string stem = image.stem().string();
  for (const char* suffix : {"_Annotation.png", "_mask.png", ".png"}) {
    const fs::path path = masks / (stem + suffix);
    if (fs::is_regular_file(path)) return path;
  }
  throw DataError(image.string() + ": no mask " + stem + "_Annotation.png or " +
                  stem + ".png in " + masks.string() +
                  "; add it or remove the image");
}

}  // namespace

std::optional<std::vector<CohortEntry>> read_pairs(const fs::path& dir) {
  const fs::path images = find_folder(dir, {"image", "images"});
  const fs::path masks = find_folder(dir, {"mask", "masks"});
  if (images.empty() || masks.empty()) return std::nullopt;
  std::vector<CohortEntry> entries;
  for (const fs::path& path : image_files(images)) {
    CohortEntry entry;
    entry.info.id = path.stem().string();
    entry.info.patient = patient_of(entry.info.id);
    entry.info.exam =
        entry.info.patient.empty() ? entry.info.id : entry.info.patient;
    entry.image_path = path;
    entry.mask_path = find_mask(masks, path);
    entries.push_back(std::move(entry));
  }
  if (entries.empty()) {
    throw DataError(images.string() + ": no PNG or JPEG images");
  }
  return entries;
}

}  // namespace sono
