#include <opencv2/core.hpp>

#include "data/csv.h"
#include "data/formats/dicom.h"
#include "data/formats/nifti.h"
#include "data/image_file.h"
#include "data/shards/tar.h"
#include "tests/fuzz/target_input.h"
#include "tests/fuzz/targets.h"

namespace sono::fuzz {
namespace {

// Every pixel is touched.
void look_at(const cv::Mat& image) {
  SONO_CHECK(image.type() == CV_8UC1 && !image.empty(), "no grey image");
  volatile double kept = cv::sum(image)[0];
  (void)kept;
}

}  // namespace

int fuzz_image(const std::uint8_t* data, std::size_t size) {
  return refused_or_done(
      [&] { look_at(decode_image(text_of(data, size), "fuzz")); });
}

int fuzz_dicom(const std::uint8_t* data, std::size_t size) {
  const MemoryFile file(data, size);
  return refused_or_done([&] {
    const DicomFacts facts = dicom_facts(file.path());
    look_at(read_dicom(file.path(), facts.frames - 1));
  });
}

int fuzz_nifti(const std::uint8_t* data, std::size_t size) {
  static const Folder kFolder;
  kFolder.write("image.nii", text_of(data, size));
  const fs::path path = kFolder.path() / "image.nii";
  return refused_or_done([&] {
    const NiftiFacts facts = nifti_facts(path);
    refused_or_done([&] { look_at(read_nifti(path, facts.slices - 1)); });
    look_at(read_nifti_labels(path, 0));
  });
}

int fuzz_tar(const std::uint8_t* data, std::size_t size) {
  const MemoryFile file(data, size);
  return refused_or_done([&] { (void)read_tar(file.path(), 1 << 20); });
}

int fuzz_csv(const std::uint8_t* data, std::size_t size) {
  return refused_or_done(
      [&] { (void)parse_csv(text_of(data, size), "fuzz.csv"); });
}

}  // namespace sono::fuzz
