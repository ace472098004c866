# How a folder declares its libraries and its tests.
#
#   sparsec_library(sparsec-layout SOURCES Build.cpp LINK sparsec-patterns)
#   sparsec_library(sparsec-dialect SOURCES ... LINK ... MLIR)     with MLIR's headers, precompiled
#   sparsec_library(sparsec-ptx SOURCES ... LINK ... LLVM)         and the LLVM dialect's
#   sparsec_library(sparsec-sim SOURCES ... LINK ... VECTORISED)   with loops made into vector code
#   sparsec_test(layout-build SOURCES BuildTest.cpp LINK sparsec-layout LABELS quick)
#   sparsec_test(kernels SOURCES ... LINK ... LABELS full DEVICE)  runs on --device of ./dev test
#   sparsec_test(kernels SOURCES ... LINK ... LABELS full DEVICE CPU)         and on cpu, always
#   sparsec_test(calls SOURCES ... LINK libsparsec LABELS quick COMPILES)     opens libsparsec-compiler
# g++ 12 sees overlapping copies in "a" + string (its bug 105651).
# clang sees that its std::stable_sort calls what C++20 deprecates.
set(SPARSEC_WARNINGS $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations> -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers
  $<$<NOT:$<CONFIG:Release>>:-Werror>)
# The asan preset: what the tests themselves do is soon done; optimising it under the sanitizers takes
# twice as long as compiling it without.
set(SPARSEC_TEST_OPTIONS $<$<CONFIG:Debug>:-O0>)

# ccache, told to trust precompiled headers and to share results between checkouts.
find_program(CCACHE ccache)
if(CCACHE)
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>
    "$<$<COMPILE_LANG_AND_ID:CXX,Clang>:SHELL:-Xclang -fno-pch-timestamp>")
endif()

foreach(set Std Mlir Llvm)
  string(TOLOWER sparsec-${set}-pch target)
  add_library(${target} STATIC EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/Pch.cpp)
  target_precompile_headers(${target} PRIVATE ${CMAKE_CURRENT_LIST_DIR}/${set}Pch.h)
endforeach()
target_link_libraries(sparsec-std-pch PRIVATE fmt::fmt)
target_link_libraries(sparsec-mlir-pch PRIVATE sparsec::mlir)
target_link_libraries(sparsec-llvm-pch PRIVATE sparsec::mlir)

if(SPARSEC_TESTS)
  find_package(GTest REQUIRED)
  # An executable, because a precompiled header fits only what is compiled with the same -fPIE.
  add_executable(sparsec-test-pch EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/Pch.cpp)
  target_link_libraries(sparsec-test-pch PRIVATE GTest::gtest_main)
  target_compile_options(sparsec-test-pch PRIVATE ${SPARSEC_TEST_OPTIONS})
  target_precompile_headers(sparsec-test-pch PRIVATE <gtest/gtest.h> <map> <memory> <string> <vector>)
endif()

# sparsec_library(NAME SOURCES... LINK LIBRARIES... [MLIR|LLVM|VECTORISED])
function(sparsec_library name)
  cmake_parse_arguments(ARG "MLIR;LLVM;VECTORISED" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
  target_compile_options(${name} PRIVATE ${SPARSEC_WARNINGS})
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  if(ARG_LLVM)
    target_link_libraries(${name} PUBLIC sparsec::mlir)
    target_precompile_headers(${name} REUSE_FROM sparsec-llvm-pch)
  elseif(ARG_MLIR)
    target_link_libraries(${name} PUBLIC sparsec::mlir)
    target_precompile_headers(${name} REUSE_FROM sparsec-mlir-pch)
  elseif(ARG_VECTORISED)
    # A precompiled header of its own: g++ may crash on one that other levels of optimisation made.
    target_link_libraries(${name} PUBLIC fmt::fmt)
    target_compile_options(${name} PRIVATE $<$<NOT:$<CONFIG:Debug>>:-O3>)
    target_precompile_headers(${name} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/StdPch.h)
  else()
    target_link_libraries(${name} PUBLIC fmt::fmt)
    target_precompile_headers(${name} REUSE_FROM sparsec-std-pch)
  endif()
endfunction()

# sparsec_test(NAME SOURCES... LINK LIBRARIES... [LABELS quick|full] [DEVICE [CPU]] [COMPILES] [COST SECONDS])
# DEVICE: the test runs on the device that the environment variable SPARSEC_TEST_DEVICE names
# ("sim" when it is not set), and ./dev package --tests takes it to a machine with a GPU.
# CPU: it runs a second time, as NAME-on-cpu, on the device of that name.
# COST: how long about it takes, if long: longer ones start first, so that none is waited for alone.
# A test that reaches no LLVM library also gets the label `sanitized`: the asan preset runs it.
function(sparsec_test name)
  cmake_parse_arguments(ARG "DEVICE;CPU;COMPILES" "COST" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${SPARSEC_WARNINGS} ${SPARSEC_TEST_OPTIONS})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest_main)
  target_precompile_headers(${name} REUSE_FROM sparsec-test-pch)
  add_test(NAME ${name} COMMAND ${name})
  if(ARG_CPU)
    add_test(NAME ${name}-on-cpu COMMAND ${name})
    set_tests_properties(${name}-on-cpu PROPERTIES
      LABELS "${ARG_LABELS}" ENVIRONMENT SPARSEC_TEST_DEVICE=cpu)
  endif()
  sparsec_reaches_llvm(reaches_llvm ${ARG_LINK})
  if(ARG_COMPILES)
    add_dependencies(${name} libsparsec-compiler)
  elseif(NOT reaches_llvm)
    list(APPEND ARG_LABELS sanitized)
    set_property(GLOBAL APPEND PROPERTY SPARSEC_SANITIZED_TESTS ${name})
  endif()
  if(ARG_DEVICE)
    list(APPEND ARG_LABELS device)
    list(TRANSFORM ARG_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
    set_property(GLOBAL APPEND PROPERTY SPARSEC_DEVICE_SOURCES ${ARG_SOURCES})
    set_property(GLOBAL APPEND PROPERTY SPARSEC_DEVICE_LIBRARIES ${ARG_LINK})
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
  if(ARG_COST)
    set_tests_properties(${name} PROPERTIES COST ${ARG_COST})
    if(ARG_CPU)
      set_tests_properties(${name}-on-cpu PROPERTIES COST ${ARG_COST})
    endif()
  endif()
endfunction()

# sparsec_counted(NAME LIBRARY): the sources of a library once more, whose steps tests/Steps.h counts.
# Under sanitizers, the library as it is: nothing is counted there.
function(sparsec_counted name library)
  if(CMAKE_CXX_FLAGS MATCHES sanitize)
    add_library(${name} STATIC ${CMAKE_SOURCE_DIR}/tests/Steps.cpp)
    target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC ${library})
    return()
  endif()
  get_target_property(sources ${library} SOURCES)
  get_target_property(folder ${library} SOURCE_DIR)
  get_target_property(below ${library} INTERFACE_LINK_LIBRARIES)
  list(TRANSFORM sources PREPEND ${folder}/ REGEX "^[^/]")
  add_library(${name} STATIC ${sources} ${CMAKE_SOURCE_DIR}/tests/Steps.cpp)
  add_dependencies(${name} ${library}) # makes the sources that are generated
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
  target_compile_options(${name} PRIVATE ${SPARSEC_WARNINGS} -fno-strict-aliasing) # as sim wants it
  set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS -fsanitize-coverage=trace-pc)
  target_link_libraries(${name} PUBLIC ${below})
  target_precompile_headers(${name} REUSE_FROM sparsec-std-pch)
endfunction()

# Whether sparsec::mlir is anywhere among what these libraries link.
function(sparsec_reaches_llvm result)
  set(pending ${ARGN})
  set(seen)
  while(pending)
    list(POP_FRONT pending library)
    if(library STREQUAL "sparsec::mlir")
      set(${result} TRUE PARENT_SCOPE)
      return()
    endif()
    if(TARGET ${library} AND NOT library IN_LIST seen)
      list(APPEND seen ${library})
      get_target_property(below ${library} INTERFACE_LINK_LIBRARIES)
      if(below)
        list(APPEND pending ${below})
      endif()
    endif()
  endwhile()
  set(${result} FALSE PARENT_SCOPE)
endfunction()
