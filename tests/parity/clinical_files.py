"""Writes small DICOM and NIfTI files with pydicom and nibabel, and what these
read from them, into fixtures/clinical/."""

import json
import pathlib

import nibabel
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless,
                         UltrasoundMultiFrameImageStorage)

FOLDER = pathlib.Path(__file__).parent / "fixtures" / "clinical"


def dicom(name, pixels, photometric, syntax):
    """pixels: [frames, rows, columns(, samples)], uint8 or uint16."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax == RLELossless else syntax
    data = FileDataset(name, {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.PatientID = "secret"
    data.StudyInstanceUID = "1.2.3"
    data.PhotometricInterpretation = photometric
    data.SamplesPerPixel = 1 if pixels.ndim == 3 else 3
    if data.SamplesPerPixel == 3:
        data.PlanarConfiguration = 0
    data.NumberOfFrames = len(pixels)
    data.Rows, data.Columns = pixels.shape[1:3]
    bits = pixels.dtype.itemsize * 8
    data.BitsAllocated = data.BitsStored = bits
    data.HighBit = bits - 1
    data.PixelRepresentation = 0
    region = Dataset()
    region.RegionSpatialFormat = 1
    region.RegionDataType = 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 1, 2
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 9, 7
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.0125, 0.02
    data.SequenceOfUltrasoundRegions = [region]
    data.PixelData = pixels.tobytes()
    if syntax == RLELossless:
        data.compress(RLELossless)
    data.save_as(FOLDER / name, enforce_file_format=True)
    read = pydicom.dcmread(FOLDER / name)
    item = read.SequenceOfUltrasoundRegions[0]
    return {
        "file": name,
        "frames": int(read.NumberOfFrames),
        "spacing": [item.PhysicalDeltaX * 10, item.PhysicalDeltaY * 10],
        "pixels": read.pixel_array.reshape(len(pixels), -1).tolist(),
        "colour": data.SamplesPerPixel == 3,
        "inverted": photometric == "MONOCHROME1",
    }


def nifti(name, values, spacing, slope=None, big_endian=False):
    header = nibabel.Nifti1Header(endianness=">" if big_endian else "<")
    header.set_data_dtype(values.dtype.newbyteorder(">" if big_endian else "<"))
    image = nibabel.Nifti1Image(values, np.diag([*spacing, 1, 1]), header)
    image.header.set_zooms((*spacing, 1)[:values.ndim])
    image.header.set_xyzt_units("mm")
    if slope:
        image.header.set_slope_inter(*slope)
    nibabel.save(image, FOLDER / name)
    read = nibabel.load(FOLDER / name)
    data = np.asanyarray(read.get_fdata()).reshape(values.shape[0], values.shape[1], -1)
    return {
        "file": name,
        "slices": data.shape[2],
        "spacing": [float(z) for z in read.header.get_zooms()[:2]],
        # a slice row by row: the first index runs along a row
        "values": [data[:, :, k].T.ravel().tolist() for k in range(data.shape[2])],
    }


FOLDER.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(1)
grey = random.integers(0, 256, (2, 8, 10), dtype=np.uint8)
colour = random.integers(0, 256, (1, 8, 10, 3), dtype=np.uint8)
expected = {
    "dicom": [
        dicom("implicit.dcm", grey, "MONOCHROME2", ImplicitVRLittleEndian),
        dicom("inverted.dcm", grey, "MONOCHROME1", ExplicitVRLittleEndian),
        dicom("rle.dcm", grey, "MONOCHROME2", RLELossless),
        dicom("rgb.dcm", colour, "RGB", ExplicitVRLittleEndian),
    ],
    "nifti": [
        nifti("bytes.nii.gz", random.integers(0, 256, (7, 5, 3), dtype=np.uint8), (0.25, 0.5)),
        nifti("big_endian.nii", random.integers(-500, 500, (7, 5)).astype(np.int16),
              (0.3, 0.4), big_endian=True),
        nifti("scaled.nii.gz", random.integers(-500, 500, (7, 5, 2)).astype(np.int16),
              (0.3, 0.4), slope=(-0.5, 3)),
        nifti("floats.nii", random.normal(size=(7, 5)).astype(np.float32), (1.5, 2.5)),
    ],
}
(FOLDER / "expected.json").write_text(json.dumps(expected) + "\n")
