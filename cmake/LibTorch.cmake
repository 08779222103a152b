# Imported targets for the LibTorch inside the `torch` wheel.
#
# The wheel holds headers and libraries for C++; no CUDA toolkit is needed to
# compile or link. find_package(Torch) would demand the toolkit, so the targets
# are written out here.
#   SONO_TORCH  folder that holds torch/ and nvidia/ (a site-packages folder)

set(SONO_TORCH $ENV{SONO_TORCH} CACHE PATH "Folder that holds torch/ and nvidia/ from the wheels")
if(NOT SONO_TORCH)
  set(SONO_TORCH ${CMAKE_SOURCE_DIR}/.deps/torch CACHE PATH "" FORCE)
endif()
if(NOT EXISTS ${SONO_TORCH}/torch/include/ATen/ATen.h)
  message(FATAL_ERROR "No LibTorch in ${SONO_TORCH}: run launch/setup, or set SONO_TORCH "
                      "to the site-packages folder of an installed torch wheel")
endif()

set(_torch ${SONO_TORCH}/torch)
file(GLOB _cuda_roots ${SONO_TORCH}/nvidia/cu13 ${SONO_TORCH}/nvidia/cuda_runtime)
set(_cuda_includes ${_cuda_roots})
list(TRANSFORM _cuda_includes APPEND /include)
set(_cuda_libs ${_cuda_roots})
list(TRANSFORM _cuda_libs APPEND /lib)

add_library(torch::torch INTERFACE IMPORTED)
target_include_directories(torch::torch SYSTEM INTERFACE
  ${_torch}/include ${_torch}/include/torch/csrc/api/include)
target_link_libraries(torch::torch INTERFACE ${_torch}/lib/libtorch_cpu.so ${_torch}/lib/libc10.so)
target_link_options(torch::torch INTERFACE -Wl,-rpath,${_torch}/lib)
foreach(dir ${_cuda_libs})
  target_link_options(torch::torch INTERFACE -Wl,-rpath,${dir} -Wl,-rpath-link,${dir})
endforeach()

# CUDA code compiles everywhere; it is linked where the full wheel set is present.
file(GLOB _cudart ${SONO_TORCH}/nvidia/*/lib/libcudart.so.13)
find_file(SONO_NCCL_LIBRARY libnccl.so.2 PATHS ${SONO_TORCH}/nvidia/nccl/lib NO_DEFAULT_PATH)
add_library(torch::nccl INTERFACE IMPORTED)
target_include_directories(torch::nccl SYSTEM INTERFACE
  ${SONO_TORCH}/nvidia/nccl/include ${_cuda_includes})
target_compile_definitions(torch::nccl INTERFACE SONO_NCCL=1)
if(SONO_NCCL_LIBRARY)
  target_link_libraries(torch::nccl INTERFACE ${SONO_NCCL_LIBRARY} ${_cudart})
  target_link_options(torch::nccl INTERFACE -Wl,-rpath,${SONO_TORCH}/nvidia/nccl/lib)
endif()
set(SONO_CUDA OFF)
if(EXISTS ${SONO_TORCH}/nvidia/cublas OR EXISTS ${SONO_TORCH}/nvidia/cudnn)
  set(SONO_CUDA ON)
  target_link_options(torch::torch INTERFACE -Wl,--no-as-needed)
  target_link_libraries(torch::torch INTERFACE
    ${_torch}/lib/libtorch.so ${_torch}/lib/libtorch_cuda.so ${_torch}/lib/libc10_cuda.so)
endif()

# The precompiled ATen header that every TORCH target reuses.
file(WRITE ${CMAKE_BINARY_DIR}/sono_pch.cc "namespace sono {}\n")
add_library(sono_pch STATIC ${CMAKE_BINARY_DIR}/sono_pch.cc)
target_link_libraries(sono_pch PUBLIC torch::torch)
target_compile_options(sono_pch PRIVATE -Wall -Wextra -Wshadow -Werror)
target_precompile_headers(sono_pch PRIVATE <ATen/ATen.h> <ATen/core/grad_mode.h>)
