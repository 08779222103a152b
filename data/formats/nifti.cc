#include "data/formats/nifti.h"

#include <nifti2_io.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "core/atomic_file.h"
#include "core/check.h"
#include "core/error.h"
#include "data/image_file.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

using Image = std::unique_ptr<nifti_image, decltype(&nifti_image_free)>;

constexpr const char* kRemedy =
    "; replace the file with an intact copy or remove it from the cohort";

[[noreturn]] void refuse(const fs::path& path, const std::string& what) {
  throw DataError(path.string() + ": " + what);
}

// The one axis beyond the second that may be longer than 1.
std::int64_t count_slices(const nifti_image& image, const fs::path& path) {
  std::int64_t slices = 1;
  for (int axis = 3; axis <= image.ndim; ++axis) {
    const std::int64_t length = std::max<std::int64_t>(image.dim[axis], 1);
    if (length > 1 && slices > 1) {
      refuse(path, "NIfTI of more than three axes; save 2-D images or stacks");
    }
    slices = std::max(slices, length);
  }
  return slices;
}

// What the header promises must fit into the file; deflate expands a byte to
// at most 1032.
void check_header(const nifti_image& image, const fs::path& path) {
  const auto bytes = static_cast<std::int64_t>(fs::file_size(path));
  check_image_size(image.nx, image.ny, static_cast<std::size_t>(bytes),
                   path.string());
  const std::int64_t slices = count_slices(image, path);
  if (slices > 1'000'000 || image.nbyper < 1) {
    refuse(path, "its NIfTI header is absurd" + std::string(kRemedy));
  }
  const std::int64_t needed = image.nx * image.ny * slices * image.nbyper;
  const bool compressed = path.extension() == ".gz";
  if (needed > bytes * (compressed ? 1032 : 1)) {
    refuse(path, "its header says " + std::to_string(needed) +
                     " bytes of pixels but the file has " +
                     std::to_string(bytes) + ": truncated or forged" + kRemedy);
  }
}

Image open(const fs::path& path) {
  nifti_set_debug_level(0);
  if (!fs::is_regular_file(path)) refuse(path, "no such file");
  Image image(nifti_image_read(path.c_str(), 0), &nifti_image_free);
  if (!image) refuse(path, "damaged NIfTI header" + std::string(kRemedy));
  check_header(*image, path);
  return image;
}

Image load(const fs::path& path, int slice) {
  Image image = open(path);
  const std::int64_t slices = count_slices(*image, path);
  SONO_CHECK(slice >= 0 && slice < slices,
             "slice " << slice << " of " << slices << " in " << path.string());
  if (nifti_image_load(image.get()) != 0) {
    refuse(path,
           "damaged NIfTI: its pixels end too early" + std::string(kRemedy));
  }
  return image;
}

template <class T>
std::vector<double> as_doubles(const nifti_image& image) {
  const T* values = static_cast<const T*>(image.data);
  return {values, values + image.nvox};
}

std::vector<double> numbers(const nifti_image& image, const fs::path& path) {
  switch (image.datatype) {
    case DT_UINT8:
      return as_doubles<std::uint8_t>(image);
    case DT_INT8:
      return as_doubles<std::int8_t>(image);
    case DT_INT16:
      return as_doubles<std::int16_t>(image);
    case DT_UINT16:
      return as_doubles<std::uint16_t>(image);
    case DT_INT32:
      return as_doubles<std::int32_t>(image);
    case DT_UINT32:
      return as_doubles<std::uint32_t>(image);
    case DT_INT64:
      return as_doubles<std::int64_t>(image);
    case DT_FLOAT32:
      return as_doubles<float>(image);
    case DT_FLOAT64:
      return as_doubles<double>(image);
    default:
      refuse(path, std::string("NIfTI with pixels of type ") +
                       nifti_datatype_string(image.datatype) +
                       "; save it as integers, floats or RGB24");
  }
}

cv::Size size_of(const nifti_image& image) {
  return {static_cast<int>(image.nx), static_cast<int>(image.ny)};
}

// A copy of slice `slice` of pixels of `type`.
cv::Mat bytes_of(const nifti_image& image, int type, int slice) {
  const cv::Size size = size_of(image);
  const std::size_t step = static_cast<std::size_t>(size.area()) *
                           static_cast<std::size_t>(image.nbyper);
  auto* data = static_cast<unsigned char*>(image.data) +
               static_cast<std::size_t>(slice) * step;
  return cv::Mat(size, type, data).clone();
}

// Slope 0 means none.
bool is_scaled(const nifti_image& image) {
  return image.scl_slope != 0 && (image.scl_slope != 1 || image.scl_inter != 0);
}

cv::Mat stretched(const nifti_image& image, std::vector<double> values,
                  int slice) {
  const double sign = image.scl_slope < 0 ? -1 : 1;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (double& value : values) {
    value = std::isfinite(value) ? sign * value : 0;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  cv::Mat result = cv::Mat::zeros(size_of(image), CV_8UC1);
  const double scale = high > low ? 255 / (high - low) : 0;
  const std::size_t first = static_cast<std::size_t>(slice) * result.total();
  for (std::size_t i = 0; i < result.total(); ++i) {
    result.data[i] =
        cv::saturate_cast<std::uint8_t>((values[first + i] - low) * scale);
  }
  return result;
}

double mm_per_unit(int units) {
  if (units == NIFTI_UNITS_METER) return 1000;
  return units == NIFTI_UNITS_MICRON ? 1e-3 : 1;
}

// A spacing of 1 without a unit is what a file without spacing says.
double spacing_mm(const nifti_image& image, int axis) {
  const double size = std::abs(image.pixdim[axis]);
  if (!std::isfinite(size) || size <= 0) return 0;
  if (image.xyz_units == NIFTI_UNITS_UNKNOWN && size == 1) return 0;
  return size * mm_per_unit(image.xyz_units);
}

}  // namespace

NiftiFacts nifti_facts(const fs::path& path) {
  const Image image = open(path);
  return {size_of(*image), static_cast<int>(count_slices(*image, path)),
          spacing_mm(*image, 1), spacing_mm(*image, 2)};
}

cv::Mat read_nifti(const fs::path& path, int slice) {
  const Image image = load(path, slice);
  if (image->datatype == DT_UINT8 && !is_scaled(*image)) {
    return bytes_of(*image, CV_8UC1, slice);
  }
  if (image->datatype == DT_RGB24) {
    cv::Mat grey;
    cv::cvtColor(bytes_of(*image, CV_8UC3, slice), grey, cv::COLOR_RGB2GRAY);
    return grey;
  }
  return stretched(*image, numbers(*image, path), slice);
}

cv::Mat read_nifti_labels(const fs::path& path, int slice) {
  const Image image = load(path, slice);
  const std::vector<double> values = numbers(*image, path);
  cv::Mat labels(size_of(*image), CV_8UC1);
  const std::size_t first = static_cast<std::size_t>(slice) * labels.total();
  for (std::size_t i = 0; i < labels.total(); ++i) {
    const double value = values[first + i];
    if (value != std::floor(value) || value < 0 || value > 255) {
      refuse(path, "label " + std::to_string(value) +
                       " is not a whole number in 0..255; export the mask as "
                       "integers");
    }
    labels.data[i] = static_cast<std::uint8_t>(value);
  }
  return labels;
}

namespace {

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  constexpr int kGzipWindow = 15 + 16;
  SONO_CHECK(deflateInit2(&stream, 6, Z_DEFLATED, kGzipWindow, 8,
                          Z_DEFAULT_STRATEGY) == Z_OK,
             "zlib refused to start");
  std::string packed(deflateBound(&stream, bytes.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int status = deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  SONO_CHECK_EQ(status, Z_STREAM_END);
  return packed;
}

nifti_1_header header_of(const cv::Mat& image, double spacing_x_mm,
                         double spacing_y_mm) {
  const std::int64_t dims[8] = {3, image.cols, image.rows, 1, 1, 1, 1, 1};
  const Image nim(nifti_make_new_nim(dims, DT_UINT8, 0), &nifti_image_free);
  SONO_CHECK(nim != nullptr, "nifti_make_new_nim");
  const bool known = spacing_x_mm > 0 && spacing_y_mm > 0;
  nim->dx = nim->pixdim[1] = known ? spacing_x_mm : 1;
  nim->dy = nim->pixdim[2] = known ? spacing_y_mm : 1;
  nim->xyz_units = known ? NIFTI_UNITS_MM : NIFTI_UNITS_UNKNOWN;
  nim->nifti_type = NIFTI_FTYPE_NIFTI1_1;
  nim->qform_code = NIFTI_XFORM_SCANNER_ANAT;
  nim->quatern_d = 1;  // half a turn: ITK's x and y against NIfTI's
  nim->qfac = 1;
  nifti_1_header header{};
  SONO_CHECK(nifti_convert_nim2n1hdr(nim.get(), &header) == 0,
             "no NIfTI-1 header for " << image.cols << "x" << image.rows);
  header.vox_offset = 352;
  return header;
}

}  // namespace

void write_nifti(const fs::path& path, const cv::Mat& image,
                 double spacing_x_mm, double spacing_y_mm) {
  SONO_CHECK(image.type() == CV_8UC1 && !image.empty(),
             "a NIfTI is made of CV_8UC1, not type " << image.type());
  const nifti_1_header header = header_of(image, spacing_x_mm, spacing_y_mm);
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
  bytes.append(4, '\0');  // no extensions
  for (int y = 0; y < image.rows; ++y) {
    bytes.append(reinterpret_cast<const char*>(image.ptr(y)),
                 static_cast<std::size_t>(image.cols));
  }
  write_file_atomic(path, path.extension() == ".gz" ? gzip(bytes) : bytes);
}

}  // namespace sono
