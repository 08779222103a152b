#pragma once
// NIfTI-1 and NIfTI-2 files (.nii, .nii.gz) with 2-D images or stacks of them,
// by Debian's nifti_clib. A slice is taken as it is stored: the first index
// runs along a row, the second down the rows; orientation is not applied.

#include <filesystem>
#include <opencv2/core.hpp>

namespace sono {

struct NiftiFacts {
  cv::Size size;
  int slices = 1;
  // Of the first two axes, mm (metres and micrometres are converted); 0 when
  // the file does not say.
  double spacing_x_mm = 0;
  double spacing_y_mm = 0;
};

// From the header alone. DataError naming the file when it is damaged, absurdly
// large for its bytes, complex, or has more than one axis beyond the second.
NiftiFacts nifti_facts(const std::filesystem::path& path);

// One slice as CV_8UC1 [H, W]: unscaled bytes as they are, RGB as luma, other
// numbers stretched so that the file's least becomes 0 and its greatest 255.
cv::Mat read_nifti(const std::filesystem::path& path, int slice);

// One slice of labels, CV_8UC1, as stored. DataError when a value is not a
// whole number in 0..255.
cv::Mat read_nifti_labels(const std::filesystem::path& path, int slice);

// A CV_8UC1 image as NIfTI-1 with the axes that ITK gives to a plain image;
// compressed when the name ends in .gz. A spacing of 0 is written as 1 without
// unit. Equal input gives equal bytes under one zlib build.
void write_nifti(const std::filesystem::path& path, const cv::Mat& image,
                 double spacing_x_mm, double spacing_y_mm);

}  // namespace sono
