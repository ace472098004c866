# Tests on text by LLVM's lit and FileCheck, which Debian keeps in LLVM's own folder.
find_program(LLVM_LIT lit HINTS ${LLVM_TOOLS_BINARY_DIR} REQUIRED NO_DEFAULT_PATH)

# sparsec_lit_test(NAME [FOLDER DIR] [LABELS quick|full]): the .mlir and .test
# files of this folder of tests/, as one ctest.
function(sparsec_lit_test name)
  cmake_parse_arguments(ARG "" "FOLDER" "LABELS" ${ARGN})
  add_test(NAME ${name}
    COMMAND ${LLVM_LIT} -v -j2 ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_FOLDER}
      --param build=${CMAKE_BINARY_DIR} --param llvm_tools=${LLVM_TOOLS_BINARY_DIR})
  if(ARG_LABELS)
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
  endif()
endfunction()
