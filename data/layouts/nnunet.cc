#include "data/layouts/nnunet.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/atomic_file.h"
#include "core/error.h"
#include "data/csv.h"
#include "data/formats/nifti.h"
#include "data/image_file.h"
#include "data/layouts/image_source.h"
#include "data/layouts/table.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

constexpr char kDatasetFile[] = "dataset.json";
constexpr char kChannel[] = "_0000";

nlohmann::json read_dataset(const fs::path& file) {
  try {
    auto dataset = nlohmann::json::parse(read_file(file));
    if (dataset.at("labels").is_object()) return dataset;
  } catch (const nlohmann::json::exception&) {
  }
  throw DataError(
      file.string() +
      ": not nnU-Net's dataset.json (no \"labels\"); make it again");
}

// The foreground's value: the only label beside the background, or the one of
// that name.
int foreground(const nlohmann::json& dataset, const std::string& wanted,
               const fs::path& file) {
  std::vector<std::string> names;
  std::string known;
  for (const auto& [name, value] : dataset["labels"].items()) {
    if (!value.is_number_integer() || value == 0 || name == "background") {
      continue;
    }
    names.push_back(name);
    known += (known.empty() ? "" : ", ") + name;
  }
  if (names.size() == 1 && wanted.empty()) {
    return dataset["labels"][names[0]].get<int>();
  }
  if (std::count(names.begin(), names.end(), wanted)) {
    return dataset["labels"][wanted].get<int>();
  }
  throw ConfigError("option data.label = " + wanted + ": " + file.string() +
                    " has the labels " + known +
                    "; name the one to segment with data.label=NAME");
}

struct Part {
  fs::path root, images, labels;
};

// `dir` may be the data set, or one of its image folders.
std::optional<Part> find_part(const fs::path& given) {
  const fs::path dir = fs::canonical(given);
  if (fs::is_regular_file(dir / kDatasetFile) &&
      fs::is_directory(dir / "imagesTr")) {
    return Part{dir, dir / "imagesTr", dir / "labelsTr"};
  }
  const fs::path root = dir.parent_path();
  for (const auto& [images, labels] :
       {std::pair("imagesTr", "labelsTr"), std::pair("imagesTs", "labelsTs")}) {
    if (dir.filename() == images && fs::is_regular_file(root / kDatasetFile)) {
      return Part{root, dir, root / labels};
    }
  }
  return std::nullopt;
}

// "case" from "case_0000"; DataError for a second channel.
std::string case_of(const fs::path& image) {
  const std::string stem = stem_of(image);
  if (stem.ends_with(kChannel)) return stem.substr(0, stem.size() - 5);
  throw DataError(image.string() + ": expected CASE" + kChannel +
                  " and one channel; export the image as grey");
}

}  // namespace

std::optional<std::vector<CohortEntry>> read_nnunet(
    const fs::path& dir, const CohortConfig& config) {
  const auto part = find_part(dir);
  if (!part) return std::nullopt;
  const fs::path file = part->root / kDatasetFile;
  const int value = foreground(read_dataset(file), config.label, file);
  std::vector<ImageSource> sources;
  for (const auto& item : fs::directory_iterator(part->images)) {
    const auto kind = file_kind(item.path());
    if (!kind || !item.is_regular_file()) continue;
    ImageSource source;
    source.image = item.path();
    source.info.id = case_of(item.path());
    source.mask_value = value;
    if (fs::is_directory(part->labels)) {
      const auto mask = find_mask({part->labels}, source.info.id, {});
      if (!mask) {
        throw DataError(source.image.string() + ": no label " + source.info.id +
                        " in " + part->labels.string() +
                        "; add it or remove the image");
      }
      source.mask = *mask;
    }
    sources.push_back(std::move(source));
  }
  if (sources.empty()) {
    throw DataError(part->images.string() + ": no images; see " +
                    file.string());
  }
  return make_entries(std::move(sources), config);
}

namespace {

std::string case_name(const std::string& id) {
  std::string name = id;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') {
      c = '_';
    }
  }
  return name;
}

void write_pixels(const fs::path& path, const cv::Mat& pixels,
                  const Sample& sample) {
  if (path.extension() == ".png") return write_png(path, pixels);
  write_nifti(path, pixels, sample.spacing_x_mm, sample.spacing_y_mm);
}

std::string number_or_empty(double value) {
  return value > 0 ? format_double(value) : "";
}

std::string table_row(const fs::path& image, const fs::path& mask,
                      const Sample& sample) {
  std::string row;
  for (const std::string& cell :
       {image.string(), mask.string(), sample.id, sample.exam, sample.patient,
        number_or_empty(sample.spacing_x_mm),
        number_or_empty(sample.spacing_y_mm),
        number_or_empty(sample.hc_reference_mm),
        sample.trimester > 0 ? std::to_string(sample.trimester)
                             : std::string()}) {
    row += (row.empty() ? "" : ",") + quote_csv(cell);
  }
  return row + "\n";
}

nlohmann::json dataset_json(const NnunetExport& options, int training) {
  return {{"name", options.name},
          {"channel_names", {{"0", "ultrasound"}}},
          {"labels", {{"background", 0}, {options.label, 1}}},
          {"numTraining", training},
          {"file_ending", options.ending}};
}

}  // namespace

NnunetWriter::NnunetWriter(const NnunetExport& options, fs::path dir)
    : options_(options),
      dir_(std::move(dir)),
      table_(
          "file,mask,id,exam,patient,spacing_x_mm,spacing_y_mm,hc_mm,"
          "trimester\n") {
  check_choice("--ending", options.ending, {".nii.gz", ".png"});
  for (const char* folder : {"imagesTr", "labelsTr", "imagesTs", "labelsTs"}) {
    make_directories(dir_ / folder);
  }
}

void NnunetWriter::add(const Sample& sample, bool test) {
  const std::string name = case_name(sample.id);
  if (!names_.insert(name).second) {
    throw ConfigError("two images would be called " + name +
                      "; rename one of them (one is " + sample.id + ")");
  }
  if (sample.mask.empty()) {
    throw DataError("image " + sample.id +
                    " has no mask; nnU-Net needs one for every case");
  }
  const std::string part = test ? "Ts" : "Tr";
  const fs::path image =
      "images" + part + "/" + name + kChannel + options_.ending;
  const fs::path mask = "labels" + part + "/" + name + options_.ending;
  write_pixels(dir_ / image, sample.image, sample);
  write_pixels(dir_ / mask, sample.mask / 255, sample);
  table_ += table_row(image, mask, sample);
  training_ += test ? 0 : 1;
}

void NnunetWriter::finish() const {
  write_file_atomic(dir_ / kCohortTable, table_);
  write_file_atomic(dir_ / kDatasetFile,
                    dataset_json(options_, training_).dump(1) + "\n");
}

}  // namespace sono
