#include "data/layouts/folder.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "data/image_file.h"

namespace sono {
namespace {

void add_images(const std::filesystem::path& dir, const std::string& label,
                std::vector<CohortEntry>& entries) {
  for (const std::filesystem::path& path : image_files(dir)) {
    CohortEntry entry;
    const std::string stem = path.stem().string();
    entry.info.id = label.empty() ? stem : label + "-" + stem;
    entry.info.patient = patient_of(stem);
    entry.info.exam = entry.info.patient.empty() ? stem : entry.info.patient;
    entry.image_path = path;
    entry.label = label;
    entries.push_back(std::move(entry));
  }
}

}  // namespace

std::optional<std::vector<CohortEntry>> read_folder(
    const std::filesystem::path& dir) {
  std::vector<CohortEntry> entries;
  add_images(dir, "", entries);
  for (const auto& item : std::filesystem::directory_iterator(dir)) {
    if (item.is_directory()) {
      add_images(item.path(), item.path().filename().string(), entries);
    }
  }
  if (entries.empty()) return std::nullopt;
  return entries;
}

std::vector<std::filesystem::path> image_files(
    const std::filesystem::path& dir) {
  std::vector<std::filesystem::path> files;
  for (const auto& item : std::filesystem::directory_iterator(dir)) {
    const std::string name = item.path().filename().string();
    if (item.is_regular_file() && is_image_name(item.path()) &&
        name.front() != '.') {
      files.push_back(item.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string patient_of(const std::string& stem) {
  constexpr std::string_view kRest = "atient";
  const bool named = stem.size() > 7 && (stem[0] == 'P' || stem[0] == 'p') &&
                     stem.compare(1, kRest.size(), kRest) == 0;
  if (!named) return "";
  std::size_t end = 7;
  while (end < stem.size() &&
         std::isdigit(static_cast<unsigned char>(stem[end]))) {
    ++end;
  }
  const bool complete = end > 7 && end < stem.size() && stem[end] == '_';
  return complete ? stem.substr(0, end) : "";
}

}  // namespace sono
