# Everything that sparsec takes from elsewhere, found once.
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Threads REQUIRED)
if(SPARSEC_STATIC)
  # Debian has no archive of fmt; its headers can stand alone. yaml-cpp has one.
  foreach(target fmt::fmt fmt::fmt-header-only)
    add_library(${target} INTERFACE IMPORTED)
    target_compile_definitions(${target} INTERFACE FMT_HEADER_ONLY=1)
  endforeach()
  find_library(YAML_CPP_ARCHIVE libyaml-cpp.a REQUIRED)
  add_library(yaml-cpp STATIC IMPORTED)
  set_target_properties(yaml-cpp PROPERTIES IMPORTED_LOCATION ${YAML_CPP_ARCHIVE})
  find_library(PNG_ARCHIVE libpng16.a REQUIRED)
  find_library(ZLIB_ARCHIVE libz.a REQUIRED)
  find_path(PNG_INCLUDE png.h REQUIRED)
  find_path(ZLIB_INCLUDE zlib.h REQUIRED)
  add_library(ZLIB::ZLIB STATIC IMPORTED)
  set_target_properties(ZLIB::ZLIB PROPERTIES IMPORTED_LOCATION ${ZLIB_ARCHIVE} INTERFACE_INCLUDE_DIRECTORIES ${ZLIB_INCLUDE})
  set(png ${CMAKE_BINARY_DIR}/libpng.a) # for shared libraries, too: PngStderr.c
  execute_process(COMMAND ${CMAKE_OBJCOPY} --redefine-sym stderr=png_stderr ${PNG_ARCHIVE} ${png} COMMAND_ERROR_IS_FATAL ANY)
  add_library(sparsec-png-stderr STATIC ${CMAKE_CURRENT_LIST_DIR}/PngStderr.c)
  add_library(PNG::PNG STATIC IMPORTED)
  set_target_properties(PNG::PNG PROPERTIES IMPORTED_LOCATION ${png} INTERFACE_INCLUDE_DIRECTORIES ${PNG_INCLUDE}
    INTERFACE_LINK_LIBRARIES "sparsec-png-stderr;${ZLIB_ARCHIVE};m")
else()
  find_package(PNG REQUIRED)
  find_package(ZLIB REQUIRED)
  find_package(fmt REQUIRED)
  find_package(yaml-cpp REQUIRED)
endif()

# Debian keeps LLVM under a prefix of its own; its version file wants major.minor. (LLVM_CONFIG is
# the name that find_package gives to the path of its own file.)
find_program(LLVM_CONFIG_PROGRAM llvm-config-22 REQUIRED)
execute_process(COMMAND ${LLVM_CONFIG_PROGRAM} --prefix OUTPUT_VARIABLE LLVM_PREFIX OUTPUT_STRIP_TRAILING_WHITESPACE)
find_package(MLIR 22.1 REQUIRED CONFIG HINTS ${LLVM_PREFIX}/lib/cmake/mlir)
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
set(LLVM_RUNTIME_OUTPUT_INTDIR ${CMAKE_BINARY_DIR}/bin)
set(LLVM_LIBRARY_OUTPUT_INTDIR ${CMAKE_BINARY_DIR}/lib)
include(TableGen)
include(AddLLVM)
include(AddMLIR) # not HandleLLVMOptions: it turns exceptions off everywhere

# g++ finds lld by the name ld.lld, which Debian keeps beside LLVM's other programs.
add_link_options(-fuse-ld=lld -B${LLVM_PREFIX}/bin)

# sparsec::mlir: headers and libraries of MLIR and LLVM, shared or as archives.
add_library(sparsec-mlir INTERFACE)
add_library(sparsec::mlir ALIAS sparsec-mlir)
target_include_directories(sparsec-mlir SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
target_compile_definitions(sparsec-mlir INTERFACE ${LLVM_DEFINITIONS_LIST})
if(SPARSEC_STATIC)
  include(StaticLlvm)
  target_link_libraries(sparsec-mlir INTERFACE sparsec::static-llvm)
else()
  # By name: component targets beside these would pull in the archives as well.
  target_link_libraries(sparsec-mlir INTERFACE MLIR LLVM)
endif()

# sparsec::lld: the linker as a library, which Debian has as archives only.
add_library(sparsec-lld INTERFACE)
add_library(sparsec::lld ALIAS sparsec-lld)
target_link_libraries(sparsec-lld INTERFACE
  ${LLVM_PREFIX}/lib/liblldELF.a ${LLVM_PREFIX}/lib/liblldCommon.a sparsec::mlir)
if(NOT SPARSEC_STATIC) # StaticLlvm.cmake has its archives
  target_link_libraries(sparsec-lld INTERFACE z zstd)
endif()
