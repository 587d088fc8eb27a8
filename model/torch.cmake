# Our own imported targets for LibTorch instead of find_package(Torch): the latter needs a CUDA toolkit as soon as
# the LibTorch was built with CUDA, and links CUDA into every target. Here the program links only torch_cpu and c10
# and loads libtorch_cuda at run time, so that it starts at once and on machines without CUDA.
#
# A folder that holds include/ and lib/, or the site-packages with torch/ in it: LATHE_TORCH, else in the environment, in
# CMAKE_PREFIX_PATH, or the one that ./lathe fetched.
set(lathe_torch_places ${LATHE_TORCH})
if(NOT lathe_torch_places)
  set(lathe_torch_places $ENV{LATHE_TORCH})
endif()
if(NOT lathe_torch_places)
  set(lathe_torch_places ${CMAKE_PREFIX_PATH} "${lathe_cache}/torch-2.11.0/torch")
endif()
find_path(LATHE_TORCH_INCLUDE ATen/core/Tensor.h HINTS ${lathe_torch_places} PATH_SUFFIXES include torch/include
          NO_DEFAULT_PATH NO_CACHE)  # a changed LATHE_TORCH counts at once
if(NOT LATHE_TORCH_INCLUDE)
  message(FATAL_ERROR "LibTorch not found in ${lathe_torch_places}; run ./lathe once without LATHE_TORCH, which fetches "
                      "it, or set LATHE_TORCH to a folder with include/ and lib/, for example site-packages/torch of a "
                      "PyTorch that pip installed")
endif()
get_filename_component(lathe_torch_lib "${LATHE_TORCH_INCLUDE}/../lib" ABSOLUTE)

# The place of the version changed; what is asked for is the oldest that was tried.
foreach(header torch/csrc/api/include/torch/version.h torch/version.h torch/headeronly/version.h)
  if(EXISTS "${LATHE_TORCH_INCLUDE}/${header}")
    file(STRINGS "${LATHE_TORCH_INCLUDE}/${header}" lines REGEX "define TORCH_VERSION_(MAJOR|MINOR) +[0-9]+")
    string(REGEX REPLACE "[^0-9;]" "" numbers "${lines}")
    list(JOIN numbers . lathe_torch_version)
  endif()
endforeach()
if(lathe_torch_version VERSION_LESS 2.11)
  message(FATAL_ERROR "LibTorch ${lathe_torch_version} in ${lathe_torch_lib} is too old; Lathe needs 2.11 or newer: run "
                      "./lathe without LATHE_TORCH, which fetches that one")
endif()
message(STATUS "LibTorch ${lathe_torch_version}: ${lathe_torch_lib}")

function(lathe_import_torch name)
  add_library(torch::${name} SHARED IMPORTED GLOBAL)
  set_target_properties(torch::${name} PROPERTIES IMPORTED_LOCATION "${lathe_torch_lib}/lib${name}.so")
endfunction()
lathe_import_torch(c10)
lathe_import_torch(torch_cpu)

find_package(OpenMP REQUIRED COMPONENTS CXX)
add_library(torch::cpu INTERFACE IMPORTED GLOBAL)
target_link_libraries(torch::cpu INTERFACE torch::torch_cpu torch::c10)
target_include_directories(torch::cpu SYSTEM INTERFACE "${LATHE_TORCH_INCLUDE}"
                           "${LATHE_TORCH_INCLUDE}/torch/csrc/api/include")
target_compile_definitions(torch::cpu INTERFACE AT_PER_OPERATOR_HEADERS)
# at::parallel_for is a template over OpenMP. libgomp is the one that LibTorch brings: one thread pool, not two.
target_compile_options(torch::cpu INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
target_link_options(torch::cpu INTERFACE -fopenmp)

# A library over LibTorch; all of them and their tests share one precompiled header, built with the first.
function(lathe_torch_library name)
  lathe_library(${name} ${ARGN})
  target_link_libraries(${name} PUBLIC torch::cpu)
  lathe_share_pch(${name})
endfunction()

function(lathe_share_pch target)
  if(NOT LATHE_PCH)
    return()
  endif()
  if(NOT target STREQUAL "lathe_cuda")
    target_precompile_headers(${target} REUSE_FROM lathe_cuda)
  else()
    target_precompile_headers(${target} PRIVATE <ATen/core/Tensor.h> <algorithm> <chrono> <cmath> <cstdint>
                              <filesystem> <functional> <map> <memory> <optional> <span> <sstream> <string>
                              <string_view> <thread> <unordered_map> <variant> <vector> <nlohmann/json.hpp>)
  endif()
endfunction()
