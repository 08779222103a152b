#include "data/layouts/dicom.h"

#include <algorithm>
#include <utility>

#include "data/frame_file.h"
#include "data/layouts/image_source.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// Sorted; hidden files and the directory file of a disc left out.
std::vector<fs::path> dicom_files(const fs::path& dir) {
  std::vector<fs::path> files;
  for (const auto& item : fs::recursive_directory_iterator(dir)) {
    const std::string name = item.path().filename().string();
    if (!item.is_regular_file() || name.front() == '.' || name == "DICOMDIR") {
      continue;
    }
    if (file_kind(item.path()) == FileKind::kDicom) {
      files.push_back(item.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

// "A-B-IM_0001" for A/B/IM_0001.dcm: names repeat from folder to folder.
std::string id_of(const fs::path& path, const fs::path& dir) {
  std::string id;
  for (const fs::path& part : path.lexically_relative(dir).parent_path()) {
    id += part.string() + "-";
  }
  return id + stem_of(path);
}

}  // namespace

std::optional<std::vector<CohortEntry>> read_dicom_layout(
    const fs::path& dir, const CohortConfig& config) {
  std::vector<ImageSource> sources;
  for (const fs::path& path : dicom_files(dir)) {
    ImageSource source;
    source.image = path;
    source.info.id = id_of(path, dir);
    const fs::path beside = path.parent_path();
    source.mask_folders = {beside, beside / "mask", beside / "masks"};
    sources.push_back(std::move(source));
  }
  if (sources.empty()) return std::nullopt;
  return make_entries(std::move(sources), config);
}

}  // namespace sono
