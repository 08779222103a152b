#include "data/layouts/pairs.h"

#include <string>
#include <utility>

#include "core/error.h"
#include "data/layouts/folder.h"
#include "data/layouts/image_source.h"

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

fs::path mask_of(const fs::path& image, const fs::path& masks) {
  const std::string stem = stem_of(image);
  if (const auto found = find_mask({masks}, stem, image)) return *found;
  throw DataError(image.string() + ": no mask " + stem + "_Annotation.png or " +
                  stem + ".png in " + masks.string() +
                  "; add it or remove the image");
}

// NIfTI or DICOM files, which may hold several frames.
std::vector<CohortEntry> read_stacks(const fs::path& images,
                                     const fs::path& masks,
                                     const CohortConfig& config) {
  std::vector<ImageSource> sources;
  for (const auto& item : fs::directory_iterator(images)) {
    if (!item.is_regular_file() || !file_kind(item.path())) continue;
    ImageSource source;
    source.image = item.path();
    source.info.patient = patient_of(stem_of(source.image));
    source.mask_folders = {masks};
    sources.push_back(std::move(source));
  }
  if (sources.empty()) {
    throw DataError(images.string() +
                    ": no PNG, JPEG, TIFF, NIfTI or DICOM images");
  }
  return make_entries(std::move(sources), config);
}

}  // namespace

std::optional<std::vector<CohortEntry>> read_pairs(const fs::path& dir,
                                                   const CohortConfig& config) {
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
    entry.mask_path = mask_of(path, masks);
    entries.push_back(std::move(entry));
  }
  if (!entries.empty()) return entries;
  return read_stacks(images, masks, config);
}

}  // namespace sono
