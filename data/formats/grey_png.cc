#include "data/formats/grey_png.h"

#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "core/check.h"
#include "data/image_file.h"

namespace sono {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr int kCompressionLevel = 1;
constexpr std::array<std::uint8_t, 8> kSignature = {0x89, 'P',  'N',  'G',
                                                    '\r', '\n', 0x1a, '\n'};
constexpr std::size_t kHeaderBytes = 13;
enum Filter : std::uint8_t { kNone, kSub, kUp, kAverage, kPaeth };

struct CompressorDeleter {
  void operator()(libdeflate_compressor* c) const {
    libdeflate_free_compressor(c);
  }
};
struct DecompressorDeleter {
  void operator()(libdeflate_decompressor* d) const {
    libdeflate_free_decompressor(d);
  }
};

// Their tables are large: kept for the life of the thread.
libdeflate_compressor* compressor() {
  thread_local const std::unique_ptr<libdeflate_compressor, CompressorDeleter>
      kept(libdeflate_alloc_compressor(kCompressionLevel));
  if (kept == nullptr) throw ResourceError("no memory to write a PNG");
  return kept.get();
}

libdeflate_decompressor* decompressor() {
  thread_local const std::unique_ptr<libdeflate_decompressor,
                                     DecompressorDeleter>
      kept(libdeflate_alloc_decompressor());
  if (kept == nullptr) throw ResourceError("no memory to read a PNG");
  return kept.get();
}

// zlib's run-length strategy, for which libdeflate has no counterpart.
class RunLengthDeflate {
 public:
  RunLengthDeflate() {
    constexpr int kLevel = 1, kWindowBits = 15, kMemory = 8;
    if (deflateInit2(&stream_, kLevel, Z_DEFLATED, kWindowBits, kMemory,
                     Z_RLE) != Z_OK) {
      throw ResourceError("no memory to write a PNG");
    }
  }
  ~RunLengthDeflate() { deflateEnd(&stream_); }
  RunLengthDeflate(const RunLengthDeflate&) = delete;
  RunLengthDeflate& operator=(const RunLengthDeflate&) = delete;

  // The size of what was written; 0 when it is more than `most` bytes.
  std::size_t compress(const Bytes& rows, std::uint8_t* out, std::size_t most) {
    deflateReset(&stream_);
    stream_.next_in = const_cast<Bytef*>(rows.data());
    stream_.avail_in = static_cast<uInt>(rows.size());
    stream_.next_out = out;
    stream_.avail_out = static_cast<uInt>(most);
    return deflate(&stream_, Z_FINISH) == Z_STREAM_END ? stream_.total_out : 0;
  }

 private:
  z_stream stream_{};
};

std::uint32_t big_endian(const char* bytes) {
  std::uint32_t value = 0;
  for (int k = 0; k < 4; ++k) {
    value = value << 8 | static_cast<std::uint8_t>(bytes[k]);
  }
  return value;
}

void put_big_endian(std::uint8_t* out, std::uint32_t value) {
  for (int k = 0; k < 4; ++k) {
    out[k] = static_cast<std::uint8_t>(value >> (24 - 8 * k));
  }
}

// ---- writing ---------------------------------------------------------------

// Seals the chunk whose data end at `end` with its length and checksum.
std::size_t end_chunk(Bytes& png, std::size_t start, std::size_t end) {
  put_big_endian(&png[start], static_cast<std::uint32_t>(end - start - 8));
  put_big_endian(&png[end],
                 libdeflate_crc32(0, &png[start + 4], end - start - 4));
  return end + 4;
}

void apply(Filter filter, const std::uint8_t* row, const std::uint8_t* above,
           int width, std::uint8_t* out) {
  if (filter == kNone) {
    std::memcpy(out, row, static_cast<std::size_t>(width));
  } else if (filter == kSub) {
    out[0] = row[0];
    for (int x = 1; x < width; ++x) {
      out[x] = static_cast<std::uint8_t>(row[x] - row[x - 1]);
    }
  } else {
    for (int x = 0; x < width; ++x) {
      out[x] = static_cast<std::uint8_t>(row[x] - above[x]);
    }
  }
}

std::int64_t absolute_sum(const std::uint8_t* differences, int width) {
  int sum = 0;  // at most 128 x 32768
  for (int x = 0; x < width; ++x) {
    sum += std::abs(static_cast<int>(static_cast<std::int8_t>(differences[x])));
  }
  return sum;
}

// Every row with its filter's number before it.
Bytes filtered(const cv::Mat& image) {
  const auto width = static_cast<std::size_t>(image.cols);
  Bytes out((width + 1) * static_cast<std::size_t>(image.rows));
  Bytes candidate(width);
  const Bytes zeros(width);
  for (int y = 0; y < image.rows; ++y) {
    const std::uint8_t* above = y > 0 ? image.ptr(y - 1) : zeros.data();
    std::uint8_t* place = &out[(width + 1) * static_cast<std::size_t>(y)];
    std::int64_t best = -1;
    for (const Filter filter : {kNone, kSub, kUp}) {
      apply(filter, image.ptr(y), above, image.cols, candidate.data());
      const std::int64_t sum = absolute_sum(candidate.data(), image.cols);
      if (best >= 0 && sum >= best) continue;
      best = sum;
      place[0] = filter;
      std::memcpy(place + 1, candidate.data(), width);
    }
  }
  return out;
}

// Every row with filter none before it.
Bytes unfiltered(const cv::Mat& image) {
  const auto width = static_cast<std::size_t>(image.cols);
  Bytes out((width + 1) * static_cast<std::size_t>(image.rows));
  for (int y = 0; y < image.rows; ++y) {
    std::uint8_t* place = &out[(width + 1) * static_cast<std::size_t>(y)];
    place[0] = kNone;
    std::memcpy(place + 1, image.ptr(y), width);
  }
  return out;
}

// Whether nearly all pixels are like the one to their left, as in a mask.
bool is_flat(const cv::Mat& image) {
  std::int64_t edges = 0;
  for (int y = 0; y < image.rows; ++y) {
    const std::uint8_t* row = image.ptr(y);
    int in_row = 0;
    for (int x = 1; x < image.cols; ++x) in_row += row[x] != row[x - 1];
    edges += in_row;
  }
  return 16 * edges < static_cast<std::int64_t>(image.total());
}

// The pixels' zlib stream at `out`; returns its size.
std::size_t compress(const cv::Mat& image, std::uint8_t* out,
                     std::size_t most) {
  if (is_flat(image)) {
    thread_local RunLengthDeflate run_lengths;
    const std::size_t size = run_lengths.compress(unfiltered(image), out, most);
    if (size > 0) return size;
  }
  const Bytes rows = filtered(image);
  return libdeflate_zlib_compress(compressor(), rows.data(), rows.size(), out,
                                  most);
}

// ---- reading ---------------------------------------------------------------

struct GreyHeader {
  std::size_t width = 0, height = 0;
};

std::optional<GreyHeader> parse_header(std::string_view data) {
  constexpr std::string_view kGrey8("\x08\0\0\0\0", 5);
  if (data.size() != kHeaderBytes || data.substr(8) != kGrey8) {
    return std::nullopt;
  }
  const GreyHeader header{big_endian(data.data()), big_endian(data.data() + 4)};
  if (header.width < 1 || header.height < 1 || header.width > kMaxImageSidePx ||
      header.height > kMaxImageSidePx ||
      header.width * header.height > kMaxImagePixels) {
    return std::nullopt;
  }
  return header;
}

// Header and compressed pixels of a file that qualifies.
struct Content {
  GreyHeader header;
  std::string_view data;
  std::string joined;  // owns `data` when there were several IDAT chunks
};

bool read_chunks(std::string_view bytes, Content& content) {
  bool has_header = false;
  for (std::size_t at = kSignature.size(); at + 12 <= bytes.size();) {
    const std::size_t size_bytes = big_endian(bytes.data() + at);
    if (size_bytes > bytes.size() - at - 12) return false;
    const std::string_view type = bytes.substr(at + 4, 4);
    const std::string_view data = bytes.substr(at + 8, size_bytes);
    const bool critical = type == "IHDR" || type == "IDAT" || type == "IEND";
    if (critical && libdeflate_crc32(0, type.data(), size_bytes + 4) !=
                        big_endian(data.data() + size_bytes)) {
      return false;
    }
    if (type == "IEND") return has_header && !content.data.empty();
    if (type == "IHDR") {
      const auto header = parse_header(data);
      if (!header || has_header) return false;
      content.header = *header;
      has_header = true;
    } else if (type == "IDAT") {
      if (content.data.empty()) {
        content.data = data;
      } else {
        if (content.joined.empty()) content.joined = content.data;
        content.joined += data;
        content.data = content.joined;
      }
    } else if (type == "tRNS" || type == "PLTE") {
      return false;
    }
    at += 12 + size_bytes;
  }
  return false;
}

std::uint8_t paeth(int left, int up, int corner) {
  const int to_left = std::abs(up - corner), to_up = std::abs(left - corner);
  const int to_corner = std::abs(left + up - 2 * corner);
  if (to_left <= to_up && to_left <= to_corner) {
    return static_cast<std::uint8_t>(left);
  }
  return static_cast<std::uint8_t>(to_up <= to_corner ? up : corner);
}

// Undoes a row's filter; false for a number that is none.
bool restore(std::uint8_t filter, const std::uint8_t* in,
             const std::uint8_t* above, std::size_t width, std::uint8_t* row) {
  std::uint8_t left = 0, corner = 0;
  switch (filter) {
    case kNone:
      std::memcpy(row, in, width);
      return true;
    case kSub:
      for (std::size_t x = 0; x < width; ++x) {
        row[x] = left = static_cast<std::uint8_t>(in[x] + left);
      }
      return true;
    case kUp:
      for (std::size_t x = 0; x < width; ++x) {
        row[x] = static_cast<std::uint8_t>(in[x] + above[x]);
      }
      return true;
    case kAverage:
      for (std::size_t x = 0; x < width; ++x) {
        row[x] = left =
            static_cast<std::uint8_t>(in[x] + ((left + above[x]) >> 1));
      }
      return true;
    case kPaeth:
      for (std::size_t x = 0; x < width; ++x) {
        row[x] = left =
            static_cast<std::uint8_t>(in[x] + paeth(left, above[x], corner));
        corner = above[x];
      }
      return true;
    default:
      return false;
  }
}

}  // namespace

std::vector<std::uint8_t> encode_grey_png(const cv::Mat& image) {
  SONO_CHECK(!image.empty() && image.type() == CV_8UC1 &&
                 image.cols <= kMaxImageSidePx && image.rows <= kMaxImageSidePx,
             image.cols << "x" << image.rows << ", type " << image.type());
  const std::size_t bound = libdeflate_zlib_compress_bound(
      compressor(), (static_cast<std::size_t>(image.cols) + 1) *
                        static_cast<std::size_t>(image.rows));
  constexpr std::size_t kFrames = 8 + 12 + kHeaderBytes + 12 + 12;
  Bytes png(kFrames + bound);
  std::copy(kSignature.begin(), kSignature.end(), png.begin());
  std::size_t start = kSignature.size();
  std::memcpy(&png[start + 4], "IHDR", 4);
  put_big_endian(&png[start + 8], static_cast<std::uint32_t>(image.cols));
  put_big_endian(&png[start + 12], static_cast<std::uint32_t>(image.rows));
  png[start + 16] = 8;  // bits; grey, deflate, plain filters, no interlace: 0
  start = end_chunk(png, start, start + 8 + kHeaderBytes);
  std::memcpy(&png[start + 4], "IDAT", 4);
  const std::size_t size_bytes = compress(image, &png[start + 8], bound);
  SONO_CHECK(size_bytes > 0, "libdeflate wrote nothing");
  start = end_chunk(png, start, start + 8 + size_bytes);
  std::memcpy(&png[start + 4], "IEND", 4);
  png.resize(end_chunk(png, start, start + 8));
  return png;
}

std::optional<cv::Mat> decode_grey_png(std::string_view bytes) {
  Content content;
  if (bytes.size() < kSignature.size() ||
      std::memcmp(bytes.data(), kSignature.data(), kSignature.size()) != 0 ||
      !read_chunks(bytes, content)) {
    return std::nullopt;
  }
  const auto [width, height] = content.header;
  // Deflate expands a byte to at most 1032.
  if ((width + 1) * height > 1032 * content.data.size()) return std::nullopt;
  const auto rows =
      std::make_unique_for_overwrite<std::uint8_t[]>((width + 1) * height);
  if (libdeflate_zlib_decompress(
          decompressor(), content.data.data(), content.data.size(), rows.get(),
          (width + 1) * height, nullptr) != LIBDEFLATE_SUCCESS) {
    return std::nullopt;
  }
  cv::Mat image(static_cast<int>(height), static_cast<int>(width), CV_8UC1);
  const Bytes zeros(width);
  for (std::size_t y = 0; y < height; ++y) {
    const std::uint8_t* in = &rows[(width + 1) * y];
    const int row = static_cast<int>(y);
    const std::uint8_t* above = y > 0 ? image.ptr(row - 1) : zeros.data();
    if (!restore(in[0], in + 1, above, width, image.ptr(row))) {
      return std::nullopt;
    }
  }
  return image;
}

}  // namespace sono
