#include "data/formats/tiff.h"

#include <tiffio.h>

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <opencv2/imgproc.hpp>

#include "core/error.h"
#include "data/image_file.h"

namespace sono {
namespace {

// What libtiff reads from, and the first thing it complained of.
struct Source {
  std::string_view bytes;
  std::size_t position = 0;
  std::string message;
};

tmsize_t read_source(thandle_t handle, void* out, tmsize_t count) {
  auto& source = *static_cast<Source*>(handle);
  const std::size_t left = source.bytes.size() - source.position;
  const std::size_t n = std::min(left, static_cast<std::size_t>(count));
  std::memcpy(out, source.bytes.data() + source.position, n);
  source.position += n;
  return static_cast<tmsize_t>(n);
}

tmsize_t refuse_write(thandle_t, void*, tmsize_t) { return 0; }

toff_t seek_source(thandle_t handle, toff_t offset, int whence) {
  auto& source = *static_cast<Source*>(handle);
  if (whence == SEEK_CUR) offset += source.position;
  if (whence == SEEK_END) offset += source.bytes.size();
  source.position = std::min<std::size_t>(offset, source.bytes.size());
  return source.position;
}

int close_source(thandle_t) { return 0; }

toff_t size_of_source(thandle_t handle) {
  return static_cast<Source*>(handle)->bytes.size();
}

int keep_message(TIFF*, void* user, const char*, const char* format,
                 va_list values) {
  auto& source = *static_cast<Source*>(user);
  char text[160];
  std::vsnprintf(text, sizeof(text), format, values);
  if (source.message.empty()) source.message = text;
  return 1;
}

int ignore_message(TIFF*, void*, const char*, const char*, va_list) {
  return 1;
}

using Tiff = std::unique_ptr<TIFF, decltype(&TIFFClose)>;

Tiff open_source(Source& source, const std::string& name) {
  constexpr tmsize_t kMaxAllocation = tmsize_t{1} << 30;
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)>
      options(TIFFOpenOptionsAlloc(), &TIFFOpenOptionsFree);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kMaxAllocation);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_message, &source);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignore_message, nullptr);
  return {TIFFClientOpenExt(name.c_str(), "rm", &source, read_source,
                            refuse_write, seek_source, close_source,
                            size_of_source, nullptr, nullptr, options.get()),
          &TIFFClose};
}

}  // namespace

bool is_tiff(std::string_view bytes) {
  using namespace std::string_view_literals;
  return bytes.starts_with("II*\0"sv) || bytes.starts_with("MM\0*"sv) ||
         bytes.starts_with("II+\0"sv) || bytes.starts_with("MM\0+"sv);
}

cv::Mat decode_tiff(std::string_view bytes, const std::string& name) {
  Source source{bytes, 0, ""};
  const Tiff tiff = open_source(source, name);
  const auto damaged = [&] {
    return DataError(name + ": damaged or unsupported TIFF (" + source.message +
                     "); replace the file or save it as PNG");
  };
  if (!tiff) throw damaged();
  std::uint32_t width = 0, height = 0;
  TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height);
  check_image_size(width, height, bytes.size(), name);
  if (TIFFLastDirectory(tiff.get()) == 0) {
    throw DataError(name + ": a TIFF of several pages; save one image a file");
  }
  cv::Mat rgba(static_cast<int>(height), static_cast<int>(width), CV_8UC4);
  if (TIFFReadRGBAImageOriented(tiff.get(), width, height,
                                reinterpret_cast<std::uint32_t*>(rgba.data),
                                ORIENTATION_TOPLEFT,
                                /*stopOnError=*/1) == 0) {
    throw damaged();
  }
  cv::Mat grey;
  cv::cvtColor(rgba, grey, cv::COLOR_RGBA2GRAY);
  return grey;
}

}  // namespace sono
