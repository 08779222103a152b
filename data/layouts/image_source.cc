#include "data/layouts/image_source.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "core/error.h"
#include "core/hash.h"
#include "core/message.h"
#include "data/layouts/frame_choice.h"
#include "data/layouts/pseudonyms.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// What the file says, where the layout said nothing.
void add_facts(ImageSource& source, const FileFacts& facts) {
  if (source.info.spacing_x_mm <= 0) {
    source.info.spacing_x_mm = facts.spacing_x_mm;
    source.info.spacing_y_mm = facts.spacing_y_mm;
  }
  if (source.region.empty()) source.region = facts.region;
}

void check_text(const ImageSource& source, const FileFacts& facts,
                const CohortConfig& config) {
  if (!facts.may_hold_text || !source.region.empty() ||
      config.burned_in == "keep") {
    return;
  }
  throw DataError(
      source.image.string() +
      ": neither a calibrated 2-D region nor BurnedInAnnotation = NO says that "
      "no name is written into its pixels; give region_x0, region_y0, "
      "region_x1 and region_y1 in cohort.csv, or look at the images and set "
      "data.burned_in=keep");
}

// Does the name hold the identifier? Shorter ones are in names by chance.
bool names_patient(const std::string& name, const std::string& patient_id) {
  constexpr std::size_t kLeastCharacters = 4;
  return patient_id.size() >= kLeastCharacters &&
         name.find(patient_id) != name.npos;
}

// Exam, patient and id of the files that carry a patient's identifiers.
void name_people(std::vector<ImageSource>& sources,
                 const std::vector<FileFacts>& facts,
                 const CohortConfig& config) {
  Pseudonyms patients(config.salt_file), studies(config.salt_file);
  std::vector<std::string> hashes(sources.size());
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (facts[i].patient_id.empty() && facts[i].study_uid.empty()) continue;
    hashes[i] = sha256_file(sources[i].image);
    patients.add(facts[i].patient_id, hashes[i]);
    studies.add(facts[i].study_uid, hashes[i]);
  }
  int renamed = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    SampleInfo& info = sources[i].info;
    if (info.patient.empty()) info.patient = patients.key(facts[i].patient_id);
    if (info.exam.empty()) info.exam = studies.key(facts[i].study_uid);
    if (names_patient(info.id, facts[i].patient_id)) {
      info.id = hashes[i].substr(0, 12);
      ++renamed;
    }
    if (info.exam.empty()) {
      info.exam = info.patient.empty() ? info.id : info.patient;
    }
  }
  if (renamed > 0) {
    log_info(std::to_string(renamed) +
             " images go by a hash, since their file names hold the patient's "
             "identifier");
  }
}

std::string frame_name(const std::string& stem, int frame) {
  char number[16];
  std::snprintf(number, sizeof(number), "-f%04d", frame);
  return stem + number;
}

// The mask of one frame: a file of its own, or a slice of the image's mask.
struct FrameMask {
  fs::path path;
  int frame = 0;
};

class FrameMasks {
 public:
  FrameMasks(const ImageSource& source, int frames, std::size_t chosen)
      : source_(source), frames_(frames), chosen_(chosen) {
    if (!source.mask.empty()) {
      shared_ = source.mask;
    } else if (const auto found = find_mask(
                   source.mask_folders, stem_of(source.image), source.image)) {
      shared_ = *found;
    }
    if (!shared_.empty()) slices_ = file_facts(shared_).frames;
  }

  // Empty path: none. Under `annotated` an empty slice is none either.
  FrameMask of(int frame, bool annotated) const {
    if (frames_ > 1) {
      const auto own =
          find_mask(source_.mask_folders,
                    frame_name(stem_of(source_.image), frame), source_.image);
      if (own) return {*own, 0};
    }
    if (shared_.empty()) return {};
    if (slices_ == frames_) {
      const bool empty =
          annotated && cv::countNonZero(read_mask_frame(shared_, frame)) == 0;
      return empty ? FrameMask{} : FrameMask{shared_, frame};
    }
    if (slices_ == 1 && (chosen_ == 1 || annotated)) {
      return annotated ? FrameMask{} : FrameMask{shared_, 0};
    }
    throw DataError(shared_.string() + ": " + std::to_string(slices_) +
                    " slices for the " + std::to_string(frames_) +
                    " frames of " + source_.image.string() +
                    "; save one slice a frame, or choose one frame");
  }

 private:
  const ImageSource& source_;
  int frames_;
  std::size_t chosen_;
  fs::path shared_;
  int slices_ = 0;
};

void add_frames(const ImageSource& source, int frames,
                const CohortConfig& config, std::vector<CohortEntry>& entries) {
  const FrameChoice choice =
      source.frames.empty()
          ? FrameChoice::parse(config.frames, "option data.frames")
          : FrameChoice::parse(source.frames,
                               source.image.string() + ": column frames");
  const auto chosen = choice.frames(frames, source.image.string());
  const bool annotated =
      choice.rule == FrameChoice::Rule::kAnnotated && frames > 1;
  const FrameMasks masks(source, frames, chosen.size());
  for (int frame : chosen) {
    const FrameMask mask = masks.of(frame, annotated);
    if (annotated && mask.path.empty()) continue;
    CohortEntry entry;
    entry.info = source.info;
    if (frames > 1) entry.info.id = frame_name(source.info.id, frame);
    entry.image_path = source.image;
    entry.image_frame = frame;
    entry.region = source.region;
    entry.mask_path = mask.path;
    entry.mask_frame = mask.frame;
    entry.mask_value = source.mask_value;
    entry.label = source.label;
    entries.push_back(std::move(entry));
  }
}

// Facts of all files; one DataError for all that are damaged or may show a
// name.
std::vector<FileFacts> read_facts(std::vector<ImageSource>& sources,
                                  const CohortConfig& config) {
  constexpr int kMostNamed = 20;
  std::vector<FileFacts> facts(sources.size());
  std::string refused;
  int bad = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    ImageSource& source = sources[i];
    if (source.info.id.empty()) source.info.id = stem_of(source.image);
    try {
      facts[i] = file_facts(source.image);
      add_facts(source, facts[i]);
      check_text(source, facts[i], config);
    } catch (const DataError& error) {
      if (++bad > kMostNamed) continue;
      refused += (bad == 1 ? "" : "\n") + std::string(error.what());
    }
  }
  if (bad > kMostNamed) {
    refused += "\nand " + std::to_string(bad - kMostNamed) + " files more";
  }
  if (bad > 0) throw DataError(refused);
  return facts;
}

}  // namespace

std::vector<CohortEntry> make_entries(std::vector<ImageSource> sources,
                                      const CohortConfig& config) {
  const std::vector<FileFacts> facts = read_facts(sources, config);
  name_people(sources, facts, config);
  std::vector<CohortEntry> entries;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    add_frames(sources[i], facts[i].frames, config, entries);
  }
  check_all_or_no_masks(entries);
  return entries;
}

std::optional<fs::path> find_mask(const std::vector<fs::path>& folders,
                                  const std::string& stem,
                                  const fs::path& image) {
  for (const fs::path& folder : folders) {
    for (const char* suffix : {"_Annotation", "_mask", ""}) {
      for (const char* ending : {".png", ".nii.gz", ".nii", ".tif", ".tiff"}) {
        const fs::path path = folder / (stem + suffix + ending);
        if (path != image && fs::is_regular_file(path)) return path;
      }
    }
  }
  return std::nullopt;
}

void check_all_or_no_masks(const std::vector<CohortEntry>& entries) {
  const auto bare = [](const CohortEntry& e) { return e.mask_path.empty(); };
  const auto missing = std::find_if(entries.begin(), entries.end(), bare);
  if (missing == entries.end() ||
      std::all_of(entries.begin(), entries.end(), bare)) {
    return;
  }
  throw DataError(missing->image_path.string() + ": no annotation for image " +
                  missing->info.id + ", though other images have one; add " +
                  missing->info.id + "_Annotation.png, or leave the image out");
}

}  // namespace sono
