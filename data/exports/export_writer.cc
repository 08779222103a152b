#include "data/exports/export_writer.h"

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/option.h"

namespace sono {
namespace {

nlohmann::json number_or_null(double value) {
  return value > 0 ? nlohmann::json(value) : nlohmann::json(nullptr);
}

}  // namespace

const std::vector<std::string>& export_formats() {
  static const std::vector<std::string> formats = {"imagefolder", "safetensors",
                                                   "webdataset"};
  return formats;
}

nlohmann::json item_metadata(const ExportItem& item) {
  const Sample& sample = item.sample;
  const bool synthetic = !item.provenance.is_null();
  return {{"id", sample.id},
          {"exam", sample.exam},
          {"patient", sample.patient},
          {"spacing_x_mm", number_or_null(sample.spacing_x_mm)},
          {"spacing_y_mm", number_or_null(sample.spacing_y_mm)},
          {"hc_mm", number_or_null(sample.hc_reference_mm)},
          {"trimester", number_or_null(sample.trimester)},
          {"synthetic", synthetic},
          {"provenance", synthetic ? item.provenance.dump() : ""}};
}

const char* split_name(const ExportItem& item) {
  return item.test ? "test" : "train";
}

std::unique_ptr<ExportWriter> make_export_writer(
    const std::string& format, std::int64_t batch,
    const std::filesystem::path& dir) {
  check_choice("--format", format, export_formats());
  check_range("--batch", static_cast<double>(batch), 1, 1e5);
  if (std::filesystem::exists(dir) && !std::filesystem::is_empty(dir)) {
    throw ConfigError(dir.string() +
                      ": is not empty; choose another --out or remove it");
  }
  make_directories(dir);
  if (format == "imagefolder") return make_image_folder_writer(dir);
  if (format == "safetensors") return make_safetensors_writer(batch, dir);
  return make_webdataset_writer(batch, dir);
}

}  // namespace sono
