#include "data/formats/dicom.h"

#include <dcmtk/config/osconfig.h>
// osconfig.h has to come first.
#include <dcmtk/dcmdata/dccodec.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmimage/diregist.h>
#include <dcmtk/dcmimgle/dcmimage.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <opencv2/imgproc.hpp>

#include "core/check.h"
#include "core/error.h"
#include "data/formats/run_length.h"
#include "data/image_file.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& path, const std::string& what) {
  throw DataError(path.string() + ": " + what);
}

// DCMTK's decoders and its silence, once a process.
void set_up() {
  static const bool done = [] {
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    DJDecoderRegistration::registerCodecs();
    DJLSDecoderRegistration::registerCodecs();
    DcmRLEDecoderRegistration::registerCodecs();
    return true;
  }();
  static_cast<void>(done);
}

// An opened file; pixels stay on disk until they are asked for.
class DicomFile {
 public:
  explicit DicomFile(const fs::path& path) : path_(path) {
    set_up();
    const OFCondition status = file_.loadFile(path.c_str());
    if (status.bad()) {
      refuse(path, std::string("damaged or no DICOM (") + status.text() +
                       "); export it again or remove it");
    }
    check();
  }

  DcmDataset& dataset() { return *file_.getDataset(); }
  cv::Size size() { return {whole(DCM_Columns), whole(DCM_Rows)}; }
  int frames() { return frames_; }

  // 0 when the tag is missing.
  int whole(const DcmTagKey& tag) {
    Uint16 value = 0;
    dataset().findAndGetUint16(tag, value);
    return value;
  }
  std::string text(const DcmTagKey& tag) {
    OFString value;
    dataset().findAndGetOFString(tag, value);
    std::string text(value.c_str());
    text.erase(text.find_last_not_of(" \0") + 1);
    return text;
  }
  E_TransferSyntax syntax() { return dataset().getOriginalXfer(); }

 private:
  void check() {
    if (!dataset().tagExistsWithValue(DCM_PixelData)) {
      refuse(path_, "DICOM without pixel data; export the image itself");
    }
    const cv::Size s = size();
    check_image_size(s.width, s.height, fs::file_size(path_), path_.string());
    const int bits = whole(DCM_BitsAllocated);
    if (bits != 8 && bits != 16) {
      refuse(path_, "BitsAllocated is " + std::to_string(bits) +
                        ", not 8 or 16; export it as 8-bit");
    }
    frames_ = count_frames();
    if (!DcmXfer(syntax()).isEncapsulated()) check_length(bits / 8);
    check_syntax();
    check_run_lengths();
  }

  int count_frames() {
    const std::string count = text(DCM_NumberOfFrames);
    if (count.empty()) return 1;
    const int frames = std::atoi(count.c_str());
    if (frames < 1 || frames > 1'000'000) {
      refuse(path_, "NumberOfFrames is '" + count.substr(0, 20) +
                        "', not in 1..1000000; export it again");
    }
    return frames;
  }

  void check_length(int bytes_per_sample) {
    DcmElement* pixels = nullptr;
    dataset().findAndGetElement(DCM_PixelData, pixels);
    std::int64_t samples = whole(DCM_SamplesPerPixel);
    const std::string colours = text(DCM_PhotometricInterpretation);
    if (colours == "YBR_FULL_422") samples = 2;  // two pixels share a colour
    const std::int64_t needed = std::int64_t{size().width} * size().height *
                                samples * bytes_per_sample * frames_;
    const std::int64_t found = pixels->getLength();
    if (needed > 0 && found >= needed) return;
    refuse(path_, "its header asks for " + std::to_string(needed) +
                      " bytes of pixels, the file has " +
                      std::to_string(found) + "; export it again");
  }

  void check_syntax() {
    const DcmXfer xfer(syntax());
    if (!xfer.isEncapsulated()) return;
    static const DcmXfer kPlain(EXS_LittleEndianExplicit);
    if (DcmCodecList::canChangeCoding(syntax(), kPlain.getXfer())) return;
    refuse(path_, std::string("pixels as ") + xfer.getXferName() +
                      " cannot be read; export the file uncompressed or as "
                      "JPEG (for instance: gdcmconv --raw)");
  }

  // DCMTK 3.6.7 reads beyond a fragment whose header lies about its segments.
  void check_run_lengths() {
    if (syntax() != EXS_RLELossless) return;
    DcmElement* element = nullptr;
    dataset().findAndGetElement(DCM_PixelData, element);
    auto* pixels = dynamic_cast<DcmPixelData*>(element);
    DcmPixelSequence* fragments = nullptr;
    if (pixels == nullptr ||
        pixels->getEncapsulatedRepresentation(syntax(), nullptr, fragments)
            .bad()) {
      refuse(path_, "no run-length coded pixels in it; export it again");
    }
    for (unsigned long i = 1; i < fragments->card(); ++i) {  // 0: offsets
      DcmPixelItem* fragment = nullptr;
      Uint8* bytes = nullptr;
      const bool whole = fragments->getItem(fragment, i).good() &&
                         fragment->getUint8Array(bytes).good();
      if (whole && run_length_segments_fit(bytes, fragment->getLength()))
        continue;
      refuse(path_, "damaged run-length coded pixels; export it again");
    }
  }

  const fs::path& path_;
  DcmFileFormat file_;
  int frames_ = 1;
};

// ---- Calibration -----------------------------------------------------------

constexpr Uint16 kTwoDimensional = 1;  // RegionSpatialFormat
constexpr Uint16 kCentimetres = 3;     // PhysicalUnits{X,Y}Direction

struct Region {
  cv::Rect place;
  double delta_x_cm = 0;
  double delta_y_cm = 0;
};

bool is_two_dimensional(DcmItem& item) {
  Uint16 format = 0, units_x = 0, units_y = 0;
  item.findAndGetUint16(DCM_RegionSpatialFormat, format);
  item.findAndGetUint16(DCM_PhysicalUnitsXDirection, units_x);
  item.findAndGetUint16(DCM_PhysicalUnitsYDirection, units_y);
  return format == kTwoDimensional && units_x == kCentimetres &&
         units_y == kCentimetres;
}

// Corners are pixel numbers, both inside the region.
Region read_region(DcmItem& item, cv::Size size) {
  Uint32 x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  item.findAndGetUint32(DCM_RegionLocationMinX0, x0);
  item.findAndGetUint32(DCM_RegionLocationMinY0, y0);
  item.findAndGetUint32(DCM_RegionLocationMaxX1, x1);
  item.findAndGetUint32(DCM_RegionLocationMaxY1, y1);
  const auto limit = [](Uint32 value, int most) {
    return static_cast<int>(std::min<Uint32>(value, most));
  };
  const cv::Point first(limit(x0, size.width), limit(y0, size.height));
  const cv::Point past(limit(x1, size.width - 1) + 1,
                       limit(y1, size.height - 1) + 1);
  Region region;
  if (past.x > first.x && past.y > first.y) region.place = {first, past};
  Float64 dx = 0, dy = 0;
  item.findAndGetFloat64(DCM_PhysicalDeltaX, dx);
  item.findAndGetFloat64(DCM_PhysicalDeltaY, dy);
  region.delta_x_cm = std::abs(dx);
  region.delta_y_cm = std::abs(dy);
  return region;
}

Region largest_region(DicomFile& file) {
  Region largest;
  DcmSequenceOfItems* regions = nullptr;
  file.dataset().findAndGetSequence(DCM_SequenceOfUltrasoundRegions, regions);
  for (unsigned long i = 0; regions != nullptr && i < regions->card(); ++i) {
    DcmItem* item = regions->getItem(i);
    if (item == nullptr || !is_two_dimensional(*item)) continue;
    const Region region = read_region(*item, file.size());
    if (region.place.area() > largest.place.area()) largest = region;
  }
  return largest;
}

void check_spacing(const fs::path& path, double x_mm, double y_mm) {
  for (double mm : {x_mm, y_mm}) {
    if (std::isfinite(mm) && mm >= 1e-4 && mm <= 10) continue;
    refuse(path, "its calibration says " + std::to_string(mm) +
                     " mm a pixel; correct it, or give spacing_x_mm and "
                     "spacing_y_mm in cohort.csv");
  }
}

void add_calibration(const fs::path& path, DicomFile& file, DicomFacts& facts) {
  const Region region = largest_region(file);
  facts.region = region.place;
  if (!region.place.empty()) {
    facts.spacing_x_mm = region.delta_x_cm * 10;
    facts.spacing_y_mm = region.delta_y_cm * 10;
  } else {
    // Row spacing first: the distance down the columns.
    Float64 down = 0, along = 0;
    file.dataset().findAndGetFloat64(DCM_PixelSpacing, down, 0);
    file.dataset().findAndGetFloat64(DCM_PixelSpacing, along, 1);
    if (down == 0 && along == 0) return;
    facts.spacing_x_mm = along;
    facts.spacing_y_mm = down;
  }
  check_spacing(path, facts.spacing_x_mm, facts.spacing_y_mm);
}

}  // namespace

bool is_dicom(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  char head[132] = {};
  file.read(head, sizeof(head));
  return file.gcount() == sizeof(head) &&
         std::string_view(head + 128, 4) == "DICM";
}

DicomFacts dicom_facts(const fs::path& path) {
  DicomFile file(path);
  DicomFacts facts;
  facts.size = file.size();
  facts.frames = file.frames();
  add_calibration(path, file, facts);
  facts.says_no_text = file.text(DCM_BurnedInAnnotation) == "NO";
  facts.patient_id = file.text(DCM_PatientID);
  facts.study_uid = file.text(DCM_StudyInstanceUID);
  return facts;
}

cv::Mat read_dicom(const fs::path& path, int frame) {
  DicomFile file(path);
  SONO_CHECK(
      frame >= 0 && frame < file.frames(),
      "frame " << frame << " of " << file.frames() << " in " << path.string());
  const bool inverted =
      file.text(DCM_PhotometricInterpretation) == "MONOCHROME1";
  DicomImage image(&file.dataset(), file.syntax(),
                   CIF_UsePartialAccessToPixelData,
                   static_cast<unsigned long>(frame), 1);
  if (image.getStatus() == EIS_Normal) {
    image.hideAllOverlays();
    if (image.isMonochrome()) image.setNoVoiTransformation();
    // Its own inversion rounds; see below.
    if (inverted) image.setPolarity(EPP_Reverse);
  }
  const void* drawn =
      image.getStatus() == EIS_Normal ? image.getOutputData(8) : nullptr;
  const cv::Size size(static_cast<int>(image.getWidth()),
                      static_cast<int>(image.getHeight()));
  if (drawn == nullptr || size != file.size()) {
    refuse(path, "frame " + std::to_string(frame) + " cannot be drawn (" +
                     DicomImage::getString(image.getStatus()) +
                     "); export it again or remove it");
  }
  void* pixels = const_cast<void*>(drawn);
  if (image.isMonochrome()) {
    const cv::Mat stored(size, CV_8UC1, pixels);
    return inverted ? cv::Mat(255 - stored) : stored.clone();
  }
  cv::Mat grey;
  cv::cvtColor(cv::Mat(size, CV_8UC3, pixels), grey, cv::COLOR_RGB2GRAY);
  return grey;
}

}  // namespace sono
