# Debian's packages; launch/setup installs them.
find_package(MPI REQUIRED COMPONENTS C)
find_package(Boost REQUIRED COMPONENTS program_options)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(TIFF REQUIRED)
find_package(ZLIB REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(nlohmann_json REQUIRED)
find_package(spdlog REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(ARCHIVE REQUIRED IMPORTED_TARGET libarchive)
find_package(GTest)

# OpenCV's CMake config comes only with libopencv-dev, which brings GDAL and 150
# packages along; core and imgproc alone are found here.
find_path(SONO_OPENCV_INCLUDE opencv2/core.hpp PATH_SUFFIXES opencv4 REQUIRED)
find_library(SONO_OPENCV_CORE opencv_core REQUIRED)
find_library(SONO_OPENCV_IMGPROC opencv_imgproc REQUIRED)
add_library(sono_opencv INTERFACE)
target_include_directories(sono_opencv SYSTEM INTERFACE ${SONO_OPENCV_INCLUDE})
target_link_libraries(sono_opencv INTERFACE ${SONO_OPENCV_IMGPROC} ${SONO_OPENCV_CORE})

# DCMTK's own config links all of its 30 libraries; these are the ones in use.
find_path(SONO_DCMTK_INCLUDE dcmtk/dcmdata/dctk.h REQUIRED)
add_library(sono_dicom INTERFACE)
target_include_directories(sono_dicom SYSTEM INTERFACE ${SONO_DCMTK_INCLUDE})
foreach(name dcmjpeg dcmjpls dcmimage dcmimgle dcmdata oflog ofstd)
  find_library(SONO_DCMTK_${name} ${name} REQUIRED)
  target_link_libraries(sono_dicom INTERFACE ${SONO_DCMTK_${name}})
endforeach()

find_path(SONO_NIFTI_INCLUDE nifti2_io.h PATH_SUFFIXES nifti REQUIRED)
find_library(SONO_NIFTI nifti2 REQUIRED)
find_library(SONO_ZNZ znz REQUIRED)
add_library(sono_nifti INTERFACE)
target_include_directories(sono_nifti SYSTEM INTERFACE ${SONO_NIFTI_INCLUDE})
target_link_libraries(sono_nifti INTERFACE ${SONO_NIFTI} ${SONO_ZNZ})
