# sparsec::static-llvm: MLIR and LLVM as one group of archives.
#
# MLIR's own CMake targets end in libLLVM.so even when they are static, so the archives are named
# here. The group is searched until nothing is missing, and only what is used is linked.
execute_process(COMMAND ${LLVM_CONFIG} --libdir OUTPUT_VARIABLE llvm_libdir OUTPUT_STRIP_TRAILING_WHITESPACE)
execute_process(COMMAND ${LLVM_CONFIG} --bindir OUTPUT_VARIABLE llvm_bindir OUTPUT_STRIP_TRAILING_WHITESPACE)
execute_process(COMMAND ${LLVM_CONFIG} --link-static --libfiles all
                OUTPUT_VARIABLE llvm_archives OUTPUT_STRIP_TRAILING_WHITESPACE)
separate_arguments(llvm_archives)
file(GLOB mlir_archives ${llvm_libdir}/libMLIR*.a)
list(FILTER mlir_archives EXCLUDE REGEX "/libMLIR(CAPI|Test)")
find_library(ZLIB_ARCHIVE libz.a REQUIRED)
find_library(ZSTD_ARCHIVE libzstd.a REQUIRED)

add_library(sparsec-static-llvm INTERFACE)
add_library(sparsec::static-llvm ALIAS sparsec-static-llvm)
target_link_libraries(sparsec-static-llvm INTERFACE
  -Wl,--start-group ${mlir_archives} ${llvm_archives} -Wl,--end-group
  ${ZLIB_ARCHIVE} ${ZSTD_ARCHIVE} ${CMAKE_DL_LIBS} Threads::Threads)

# What else would be shared.
add_library(sparsec-static-runtime INTERFACE)
target_link_options(sparsec-static-runtime INTERFACE -static-libstdc++ -static-libgcc)
link_libraries(sparsec-static-runtime)
