# Compiler flags, and the two functions every folder uses.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")

set(SONO_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=")
if(SONO_SANITIZE)
  add_compile_options(-fsanitize=${SONO_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${SONO_SANITIZE})
endif()

find_program(SONO_CCACHE ccache)
if(SONO_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros ${SONO_CCACHE})
  add_compile_options(-fpch-preprocess)
endif()
find_program(SONO_MOLD mold)
if(SONO_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# sono_library(NAME SOURCES a.cc ... LINKS target ... [TORCH])
# One library a folder. TORCH reuses the one precompiled ATen header.
function(sono_library name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wshadow -Werror)
  target_link_libraries(${name} PUBLIC ${ARG_LINKS})
  if(ARG_TORCH)
    target_link_libraries(${name} PUBLIC torch::torch)
    target_precompile_headers(${name} REUSE_FROM sono_pch)
  endif()
endfunction()

# sono_test(NAME SOURCES a.cc ... LINKS target ... [LABELS unit] [TORCH])
# One gtest program; CTest sees it as one test with the given labels.
function(sono_test name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;LINKS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wshadow -Werror)
  target_compile_definitions(${name} PRIVATE SONO_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                             SONO_BINARY_DIR="${CMAKE_BINARY_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} GTest::gtest_main)
  if(ARG_TORCH)
    # -fPIC, not the -fPIE of executables: the flags of the precompiled header.
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${name} PRIVATE -fPIC)
    target_precompile_headers(${name} REUSE_FROM sono_pch)
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 900
                       ENVIRONMENT "${SONO_TEST_ENVIRONMENT}")
endfunction()

# sono_script_test(NAME SCRIPT [LABELS ...] [ENVIRONMENT VAR=value ...])
# One script that drives the program; it ends with 77, after a line
# "skipped: REASON", where what it needs is missing. Runs alone.
function(sono_script_test name script)
  cmake_parse_arguments(ARG "" "" "LABELS;ENVIRONMENT" ${ARGN})
  add_test(NAME ${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/${script})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 1200
    RUN_SERIAL TRUE SKIP_RETURN_CODE 77
    ENVIRONMENT "SONO_PROGRAM=$<TARGET_FILE:sonoforge>;SONO_SOURCE=${CMAKE_SOURCE_DIR};${ARG_ENVIRONMENT}")
endfunction()

set(SONO_TEST_ENVIRONMENT
  "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
  "OMPI_MCA_btl_vader_single_copy_mechanism=none;OMP_NUM_THREADS=1"
  "ASAN_OPTIONS=detect_leaks=0;GTEST_COLOR=no")
