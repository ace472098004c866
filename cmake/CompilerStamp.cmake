# Writes OUTPUT, a C++ file with a hash of the compiler's libraries: equal stamps, equal kernels.
# cmake -DOUTPUT=... -DVERSION=... "-DFILES=a.a;b.a" -P CompilerStamp.cmake
set(hashes "")
foreach(file ${FILES})
  file(SHA256 ${file} hash)
  string(APPEND hashes ${hash})
endforeach()
string(SHA256 hash "${hashes}")
string(SUBSTRING ${hash} 0 16 hash)
file(WRITE ${OUTPUT} "// Made by CompilerStamp.cmake.
#include \"kernel/CompilerStamp.h\"

const char *sparsec::compilerStamp() {
  return \"${VERSION}, ${hash}\";
}
")
