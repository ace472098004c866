# sparsec::static-llvm: MLIR and LLVM as one group of archives.
#
# MLIR's own CMake targets end in libLLVM.so even when they are static, so the archives are named
# here. The group is searched until nothing is missing, and only what is used is linked.
file(GLOB archives ${LLVM_PREFIX}/lib/libMLIR*.a ${LLVM_PREFIX}/lib/libLLVM*.a)
list(FILTER archives EXCLUDE REGEX "/lib(MLIRCAPI|MLIRTest|LLVMTest)")
find_library(ZLIB_ARCHIVE libz.a REQUIRED)
find_library(ZSTD_ARCHIVE libzstd.a REQUIRED)

add_library(sparsec-static-llvm INTERFACE)
add_library(sparsec::static-llvm ALIAS sparsec-static-llvm)
target_link_libraries(sparsec-static-llvm INTERFACE
  -Wl,--start-group ${archives} -Wl,--end-group
  ${ZLIB_ARCHIVE} ${ZSTD_ARCHIVE} ${CMAKE_DL_LIBS} Threads::Threads)

# What else would be shared, or needs the newest glibc.
add_library(sparsec-arc4random STATIC ${CMAKE_CURRENT_LIST_DIR}/Arc4random.c)
add_library(sparsec-static-runtime INTERFACE)
target_link_libraries(sparsec-static-runtime INTERFACE sparsec-arc4random)
target_link_options(sparsec-static-runtime INTERFACE -static-libstdc++ -static-libgcc)
link_libraries($<BUILD_INTERFACE:sparsec-static-runtime>)
