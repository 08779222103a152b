#include "data/image_file.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdio>
// libjpeg's headers need <cstdio> and <cstddef> before them.
#include <jerror.h>
#include <jpeglib.h>
#include <png.h>

#include <csetjmp>
#include <opencv2/imgproc.hpp>

#include "core/atomic_file.h"
#include "core/check.h"
#include "core/error.h"
#include "data/formats/grey_png.h"
#include "data/formats/tiff.h"

namespace sono {
namespace {

constexpr std::array<unsigned char, 8> kPngSignature = {0x89, 'P',  'N',  'G',
                                                        '\r', '\n', 0x1a, '\n'};
constexpr std::array<unsigned char, 3> kJpegSignature = {0xff, 0xd8, 0xff};
// Deflate expands a byte to at most 1032; a JPEG block of 64 pixels takes at
// least one bit. A header that promises more than this cannot be honest.
constexpr std::int64_t kMaxPixelsPerByte = 1032 * 8;

constexpr const char* kReplaceFile =
    "; replace the file with an intact copy or remove it from the cohort";

template <std::size_t N>
bool starts_with(std::string_view bytes,
                 const std::array<unsigned char, N>& head) {
  return bytes.size() >= N &&
         std::equal(head.begin(), head.end(), bytes.begin(),
                    [](unsigned char a, char b) {
                      return a == static_cast<unsigned char>(b);
                    });
}

}  // namespace

void check_image_size(std::int64_t width, std::int64_t height,
                      std::size_t size_bytes, const std::string& name) {
  const std::string size =
      std::to_string(width) + "x" + std::to_string(height) + " px";
  if (width < 1 || height < 1 || width > kMaxImageSidePx ||
      height > kMaxImageSidePx || width * height > kMaxImagePixels) {
    throw DataError(name + ": its header says " + size + ", beyond " +
                    std::to_string(kMaxImageSidePx) + " px a side or " +
                    std::to_string(kMaxImagePixels / 1'000'000) + " Mpx" +
                    kReplaceFile);
  }
  if (width * height >
      kMaxPixelsPerByte * static_cast<std::int64_t>(size_bytes)) {
    throw DataError(name + ": its header says " + size + " but the file has " +
                    std::to_string(size_bytes) + " bytes: truncated or forged" +
                    kReplaceFile);
  }
}

namespace {

// ---- PNG reading -----------------------------------------------------------

// libpng leaves by longjmp: everything it touches lives here, outside the
// frame that calls setjmp.
class PngReader {
 public:
  PngReader(std::string_view bytes, const std::string& name)
      : bytes_(bytes), name_(name) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, warn);
    info_ = png_ != nullptr ? png_create_info_struct(png_) : nullptr;
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw ResourceError(name_ + ": no memory to read a PNG");
    }
    png_set_read_fn(png_, this, read);
    png_set_user_limits(png_, kMaxImageSidePx, kMaxImageSidePx);
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  cv::Mat decode() {
    if (!read_header()) throw_corrupt();
    allocate();
    if (!read_pixels()) throw_corrupt();
    return channels_ == 1 ? pixels_ : flatten();
  }

 private:
  static void fail(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngReader*>(png_get_error_ptr(png));
    std::snprintf(self->message_.data(), self->message_.size(), "%s", message);
    std::longjmp(self->jump_, 1);
  }
  static void warn(png_structp, png_const_charp) {}
  static void read(png_structp png, png_bytep out, std::size_t count) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > self->bytes_.size() - self->position_) {
      fail(png, "the file ends too early");
    }
    std::copy_n(self->bytes_.data() + self->position_, count, out);
    self->position_ += count;
  }

  bool read_header() {
    if (setjmp(jump_) != 0) return false;
    png_read_info(png_, info_);
    png_set_scale_16(png_);
    png_set_expand(png_);  // palette, 1/2/4 bits and tRNS
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    channels_ = png_get_channels(png_, info_);
    width_ = static_cast<int>(png_get_image_width(png_, info_));
    height_ = static_cast<int>(png_get_image_height(png_, info_));
    return true;
  }

  void allocate() {
    check_image_size(width_, height_, bytes_.size(), name_);
    pixels_.create(height_, width_, CV_8UC(channels_));
    SONO_CHECK_EQ(png_get_rowbytes(png_, info_),
                  static_cast<std::size_t>(width_) * channels_);
  }

  bool read_pixels() {
    if (setjmp(jump_) != 0) return false;
    for (pass_ = 0; pass_ < passes_; ++pass_) {
      for (row_ = 0; row_ < height_; ++row_) {
        png_read_row(png_, pixels_.ptr(row_), nullptr);
      }
    }
    png_read_end(png_, nullptr);
    return true;
  }

  // Grey + alpha, RGB or RGBA to grey.
  cv::Mat flatten() const {
    cv::Mat grey;
    if (channels_ == 3) {
      cv::cvtColor(pixels_, grey, cv::COLOR_RGB2GRAY);
      return grey;
    }
    cv::Mat alpha;
    cv::extractChannel(pixels_, alpha, channels_ - 1);
    if (channels_ == 2) {
      cv::extractChannel(pixels_, grey, 0);
    } else {
      cv::cvtColor(pixels_, grey, cv::COLOR_RGBA2GRAY);
    }
    cv::multiply(grey, alpha, grey, 1.0 / 255);
    return grey;
  }

  [[noreturn]] void throw_corrupt() const {
    throw DataError(name_ + ": damaged PNG (" + message_.data() + ")" +
                    kReplaceFile);
  }

  std::string_view bytes_;
  const std::string& name_;
  std::size_t position_ = 0;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_;
  std::array<char, 128> message_{};
  int channels_ = 0;
  int width_ = 0;
  int height_ = 0;
  int passes_ = 1;
  int pass_ = 0;
  int row_ = 0;
  cv::Mat pixels_;  // CV_8UC1..4 [H, W]
};

// ---- JPEG reading ----------------------------------------------------------

class JpegReader {
 public:
  JpegReader(std::string_view bytes, const std::string& name)
      : bytes_(bytes), name_(name) {
    jpeg_.err = jpeg_std_error(&errors_);
    errors_.error_exit = fail;
    errors_.emit_message = warn;
    jpeg_.client_data = this;
  }
  ~JpegReader() { jpeg_destroy_decompress(&jpeg_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  cv::Mat decode() {
    if (!read_header()) throw_corrupt();
    check_image_size(jpeg_.image_width, jpeg_.image_height, bytes_.size(),
                     name_);
    pixels_.create(static_cast<int>(jpeg_.image_height),
                   static_cast<int>(jpeg_.image_width), CV_8UC1);
    if (!read_pixels()) throw_corrupt();
    return pixels_;
  }

 private:
  static void fail(j_common_ptr jpeg) {
    auto* self = static_cast<JpegReader*>(jpeg->client_data);
    std::array<char, JMSG_LENGTH_MAX> text{};
    jpeg->err->format_message(jpeg, text.data());
    std::snprintf(self->message_.data(), self->message_.size(), "%.120s",
                  text.data());
    std::longjmp(self->jump_, 1);
  }
  // libjpeg paints grey over missing data and only warns; here it is an error.
  static void warn(j_common_ptr jpeg, int level) {
    const int code = jpeg->err->msg_code;
    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER ||
                      code == JWRN_HUFF_BAD_CODE)) {
      fail(jpeg);
    }
  }

  bool read_header() {
    if (setjmp(jump_) != 0) return false;
    jpeg_create_decompress(&jpeg_);
    jpeg_mem_src(&jpeg_, reinterpret_cast<const unsigned char*>(bytes_.data()),
                 bytes_.size());
    jpeg_read_header(&jpeg_, TRUE);
    jpeg_.out_color_space = JCS_GRAYSCALE;
    return true;
  }

  bool read_pixels() {
    if (setjmp(jump_) != 0) return false;
    jpeg_start_decompress(&jpeg_);
    while (jpeg_.output_scanline < jpeg_.output_height) {
      row_ = pixels_.ptr(static_cast<int>(jpeg_.output_scanline));
      jpeg_read_scanlines(&jpeg_, &row_, 1);
    }
    jpeg_finish_decompress(&jpeg_);
    return true;
  }

  [[noreturn]] void throw_corrupt() const {
    throw DataError(name_ + ": damaged or unsupported JPEG (" +
                    message_.data() + ")" + kReplaceFile);
  }

  std::string_view bytes_;
  const std::string& name_;
  jpeg_decompress_struct jpeg_{};
  jpeg_error_mgr errors_{};
  std::jmp_buf jump_;
  std::array<char, 128> message_{};
  JSAMPROW row_ = nullptr;
  cv::Mat pixels_;
};

// ---- PNG writing -----------------------------------------------------------

class PngWriter {
 public:
  explicit PngWriter(const cv::Mat& image) : image_(image) {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, fail, nullptr);
    info_ = png_ != nullptr ? png_create_info_struct(png_) : nullptr;
    if (info_ == nullptr) {
      png_destroy_write_struct(&png_, nullptr);
      throw ResourceError("no memory to write a PNG");
    }
    png_set_write_fn(png_, this, append, nullptr);
    // A third of the time of the default level 6; speckle grows by 7 %.
    png_set_compression_level(png_, 3);
  }
  ~PngWriter() { png_destroy_write_struct(&png_, &info_); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;

  std::vector<std::uint8_t> encode() {
    SONO_CHECK(write(), "libpng refused " << image_.cols << "x" << image_.rows);
    return std::move(bytes_);
  }

 private:
  static void fail(png_structp png, png_const_charp) {
    std::longjmp(static_cast<PngWriter*>(png_get_error_ptr(png))->jump_, 1);
  }
  static void append(png_structp png, png_bytep data, std::size_t count) {
    auto* self = static_cast<PngWriter*>(png_get_io_ptr(png));
    self->bytes_.insert(self->bytes_.end(), data, data + count);
  }

  bool write() {
    if (setjmp(jump_) != 0) return false;
    png_set_IHDR(
        png_, info_, image_.cols, image_.rows, 8,
        image_.channels() == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY,
        PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
        PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png_, info_);
    for (row_ = 0; row_ < image_.rows; ++row_) {
      png_write_row(png_, image_.ptr(row_));
    }
    png_write_end(png_, info_);
    return true;
  }

  const cv::Mat& image_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_;
  int row_ = 0;
  std::vector<std::uint8_t> bytes_;
};

}  // namespace

bool is_image_name(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg" ||
         extension == ".tif" || extension == ".tiff";
}

cv::Mat read_image(const std::filesystem::path& path) {
  return decode_image(read_file(path), path.string());
}

cv::Mat decode_image(std::string_view bytes, const std::string& name) {
  if (starts_with(bytes, kPngSignature)) {
    if (auto grey = decode_grey_png(bytes)) return *std::move(grey);
    return PngReader(bytes, name).decode();
  }
  if (starts_with(bytes, kJpegSignature)) {
    return JpegReader(bytes, name).decode();
  }
  if (is_tiff(bytes)) return decode_tiff(bytes, name);
  throw DataError(
      name +
      (bytes.empty() ? ": empty file" : ": neither PNG nor JPEG nor TIFF") +
      kReplaceFile);
}

std::vector<std::uint8_t> encode_png(const cv::Mat& image) {
  SONO_CHECK(
      !image.empty() && (image.type() == CV_8UC1 || image.type() == CV_8UC3),
      "a PNG is made of CV_8UC1 or CV_8UC3, not type " << image.type());
  return PngWriter(image).encode();
}

void write_png(const std::filesystem::path& path, const cv::Mat& image) {
  const std::vector<std::uint8_t> bytes = encode_png(image);
  write_file_atomic(
      path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace sono
