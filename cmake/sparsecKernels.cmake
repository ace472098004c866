# sparsec_add_kernels(NAME PATTERNS a.yaml... TARGETS cpu:avx2 sm_80... [DTYPE bf16] [HEAD_DIM 64]
#                     [VALUE_DIM 64] [OPERATIONS forward backward])
#
# A library to link, NAME, which holds the kernels of patterns, compiled when it is built. For each
# pattern the header <NAME.hpp> has a function, named as its file is:
#
#   #include <kernels.hpp>
#   sparsec::Result<sparsec::Attention> attention = kernels::a(device);
#
# A program with it needs libsparsec, and no compiler. Name the weakest level of CPU that it shall run
# on (cpu:portable, cpu:avx2, ...; several: the best that is there is taken); `cpu` alone is the
# machine that builds.
function(sparsec_add_kernels name)
  cmake_parse_arguments(ARG "" "DTYPE;HEAD_DIM;VALUE_DIM" "PATTERNS;TARGETS;OPERATIONS" ${ARGN})
  if(NOT ARG_PATTERNS OR NOT ARG_TARGETS OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "sparsec_add_kernels(${name}): expected PATTERNS and TARGETS")
  endif()
  list(JOIN ARG_TARGETS "," targets)
  set(flags --target ${targets})
  foreach(flag DTYPE HEAD_DIM VALUE_DIM)
    if(ARG_${flag})
      string(TOLOWER --${flag} option)
      string(REPLACE "_" "-" option ${option})
      list(APPEND flags ${option} ${ARG_${flag}})
    endif()
  endforeach()
  if(ARG_OPERATIONS)
    list(JOIN ARG_OPERATIONS "," operations)
    list(APPEND flags --op ${operations})
  endif()
  set(base ${CMAKE_CURRENT_BINARY_DIR}/${name}.kernels)
  set(made)
  set(folders)
  foreach(pattern ${ARG_PATTERNS})
    get_filename_component(path ${pattern} ABSOLUTE)
    get_filename_component(stem ${pattern} NAME_WE)
    string(MAKE_C_IDENTIFIER ${stem} symbol)
    set(folder ${base}/compiled/${symbol})
    if(folder IN_LIST folders)
      message(FATAL_ERROR "sparsec_add_kernels(${name}): two patterns are called ${symbol}")
    endif()
    # sparsec replaces no folder that it does not know for its own, which that of another version may
    # not be. This one is the build's.
    add_custom_command(
      OUTPUT ${folder}/manifest.json
      COMMAND ${CMAKE_COMMAND} -E rm -rf ${folder}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${base}/compiled
      COMMAND sparsec::program -q ${path} ${flags} --out ${folder}
      DEPENDS ${path} sparsec::program
      VERBATIM)
    list(APPEND made ${folder}/manifest.json)
    list(APPEND folders ${folder})
  endforeach()
  set(embed ${SPARSEC_KERNELS_FOLDER}/sparsecEmbed.cmake)
  add_custom_command(
    OUTPUT ${base}/${name}.cpp ${base}/include/${name}.hpp
    COMMAND ${CMAKE_COMMAND} -DNAME=${name} -DBASE=${base} "-DFOLDERS=${folders}" -P ${embed}
    DEPENDS ${made} ${embed}
    VERBATIM)
  add_library(${name} STATIC ${base}/${name}.cpp)
  target_include_directories(${name} PUBLIC ${base}/include)
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_link_libraries(${name} PUBLIC sparsec::sparsec)
endfunction()
set(SPARSEC_KERNELS_FOLDER ${CMAKE_CURRENT_LIST_DIR} CACHE INTERNAL "where sparsecEmbed.cmake is")
