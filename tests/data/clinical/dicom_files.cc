#include "tests/data/clinical/dicom_files.h"

#include <dcmtk/config/osconfig.h>
// osconfig.h has to come first.
#include <dcmtk/dcmdata/dcrleerg.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmjpeg/djencode.h>
#include <dcmtk/dcmjpeg/djrplol.h>
#include <dcmtk/dcmjpls/djencode.h>

#include "core/check.h"

namespace sono {
namespace {

void register_encoders() {
  static const bool done = [] {
    // Colours are kept as they are, so that grey values can be foretold.
    DJEncoderRegistration::registerCodecs(ECC_lossyRGB);
    DJLSEncoderRegistration::registerCodecs();
    DcmRLEEncoderRegistration::registerCodecs();
    return true;
  }();
  static_cast<void>(done);
}

E_TransferSyntax syntax_of(Coding coding) {
  switch (coding) {
    case Coding::kJpeg:
      return EXS_JPEGProcess1;
    case Coding::kJpegLossless:
      return EXS_JPEGProcess14SV1;
    case Coding::kRle:
      return EXS_RLELossless;
    case Coding::kJpegLs:
      return EXS_JPEGLSLossless;
    default:
      return EXS_LittleEndianExplicit;
  }
}

void put(DcmDataset& dataset, const DcmTag& tag, const std::string& value) {
  if (value.empty()) return;
  SONO_CHECK(dataset.putAndInsertString(tag, value.c_str()).good(), value);
}

void put_number(DcmItem& item, const DcmTag& tag, int value) {
  SONO_CHECK(item.putAndInsertUint16(tag, static_cast<Uint16>(value)).good(),
             value);
}

void put_pixels(DcmDataset& dataset, const TestDicom& dicom) {
  std::vector<std::uint8_t> bytes = dicom.pixels;
  if (bytes.size() % 2 != 0) bytes.push_back(0);
  if (dicom.bits == 8) {
    dataset.putAndInsertUint8Array(DCM_PixelData, bytes.data(), bytes.size());
    return;
  }
  dataset.putAndInsertUint16Array(DCM_PixelData,
                                  reinterpret_cast<const Uint16*>(bytes.data()),
                                  bytes.size() / 2);
}

}  // namespace

void write_dicom(const std::filesystem::path& path, const TestDicom& dicom) {
  register_encoders();
  DcmFileFormat file;
  DcmDataset& dataset = *file.getDataset();
  char uid[100];
  put(dataset, DCM_SOPClassUID, UID_UltrasoundMultiframeImageStorage);
  put(dataset, DCM_SOPInstanceUID,
      dcmGenerateUniqueIdentifier(uid, SITE_INSTANCE_UID_ROOT));
  put(dataset, DCM_PatientID, dicom.patient_id);
  put(dataset, DCM_PatientName, dicom.patient_name);
  put(dataset, DCM_StudyInstanceUID, dicom.study_uid);
  put(dataset, DCM_BurnedInAnnotation, dicom.burned_in);
  put(dataset, DCM_PhotometricInterpretation, dicom.photometric);
  put_number(dataset, DCM_SamplesPerPixel, dicom.samples);
  if (dicom.samples > 1) put_number(dataset, DCM_PlanarConfiguration, 0);
  put_number(dataset, DCM_Rows, dicom.height);
  put_number(dataset, DCM_Columns, dicom.width);
  put_number(dataset, DCM_BitsAllocated, dicom.bits);
  put_number(dataset, DCM_BitsStored, dicom.bits);
  put_number(dataset, DCM_HighBit, dicom.bits - 1);
  put_number(dataset, DCM_PixelRepresentation, 0);
  if (dicom.frames != 1) {
    put(dataset, DCM_NumberOfFrames, std::to_string(dicom.frames));
  }
  if (!dicom.pixels.empty()) put_pixels(dataset, dicom);
  const E_TransferSyntax syntax = syntax_of(dicom.coding);
  SONO_CHECK(dataset.chooseRepresentation(syntax, nullptr).good() &&
                 dataset.canWriteXfer(syntax),
             "DCMTK cannot encode " << path.string());
  if (dicom.change) dicom.change(dataset);
  std::filesystem::create_directories(path.parent_path());
  const OFCondition status = file.saveFile(path.c_str(), syntax);
  SONO_CHECK(status.good(), status.text());
}

void add_region(DcmDataset& dataset, const TestRegion& region) {
  DcmItem* item = nullptr;
  dataset.findOrCreateSequenceItem(DCM_SequenceOfUltrasoundRegions, item, -2);
  put_number(*item, DCM_RegionSpatialFormat, static_cast<int>(region.format));
  put_number(*item, DCM_RegionDataType, 1);
  put_number(*item, DCM_PhysicalUnitsXDirection,
             static_cast<int>(region.units));
  put_number(*item, DCM_PhysicalUnitsYDirection,
             static_cast<int>(region.units));
  item->putAndInsertUint32(DCM_RegionLocationMinX0, region.x0);
  item->putAndInsertUint32(DCM_RegionLocationMinY0, region.y0);
  item->putAndInsertUint32(DCM_RegionLocationMaxX1, region.x1);
  item->putAndInsertUint32(DCM_RegionLocationMaxY1, region.y1);
  item->putAndInsertFloat64(DCM_PhysicalDeltaX, region.delta_x_cm);
  item->putAndInsertFloat64(DCM_PhysicalDeltaY, region.delta_y_cm);
}

}  // namespace sono
