# Writes NAME.cpp and include/NAME.hpp, which hold folders of kernels: of sparsec_add_kernels().
# cmake -DNAME=... -DBASE=... "-DFOLDERS=.../a;.../b" -P sparsecEmbed.cmake
set(functions "")
set(definitions "")
foreach(folder ${FOLDERS})
  get_filename_component(symbol ${folder} NAME)
  file(GLOB files ${folder}/manifest.json ${folder}/*.so ${folder}/*.ptx)
  set(blobs "")
  set(rows "")
  set(index 0)
  foreach(file ${files})
    get_filename_component(file_name ${file} NAME)
    set(blob "${NAME}_${symbol}_${index}")
    string(APPEND blobs "asm(\".section .rodata\\n\"
    \".balign 64\\n${blob}: .incbin \\\"${file}\\\"\\n\"
    \"${blob}_end: .byte 0\\n\"
    \".text\\n\");
extern \"C\" __attribute__((visibility(\"hidden\"))) const unsigned char ${blob}[], ${blob}_end[];
")
    string(APPEND rows "      {\"${file_name}\", ${blob}, static_cast<size_t>(${blob}_end - ${blob})},\n")
    math(EXPR index "${index} + 1")
  endforeach()
  string(APPEND functions "/// The kernels of ${symbol}. `layer`: of a pattern whose layers differ, else 0.
sparsec::Result<sparsec::Attention> ${symbol}(const sparsec::Device &device, int64_t layer = 0);
")
  string(APPEND definitions "${blobs}
namespace ${NAME} {
sparsec::Result<sparsec::Attention> ${symbol}(const sparsec::Device &device, int64_t layer) {
  static const File files[] = {
${rows}  };
  return load(files, std::size(files), device, layer);
}
} // namespace ${NAME}

")
endforeach()
file(WRITE ${BASE}/include/${NAME}.hpp.new "// Kernels that sparsec_add_kernels() compiled.
#pragma once

#include <sparsec/sparsec.hpp>

namespace ${NAME} {

${functions}
} // namespace ${NAME}
")
file(WRITE ${BASE}/${NAME}.cpp "// Made by sparsecEmbed.cmake.
#include \"${BASE}/include/${NAME}.hpp\"

#include <iterator>

namespace {

struct File {
  const char *name;
  const unsigned char *begin;
  size_t bytes;
};

sparsec::Result<sparsec::Attention> load(const File *files, size_t count,
                                         const sparsec::Device &device, int64_t layer) {
  std::vector<const char *> names;
  std::vector<const void *> contents;
  std::vector<size_t> sizes;
  for (size_t i = 0; i < count; ++i) {
    names.push_back(files[i].name);
    contents.push_back(files[i].begin);
    sizes.push_back(files[i].bytes);
  }
  sparsec_program *program = nullptr;
  if (auto status = sparsec_load_files(device.get(), names.data(), contents.data(), sizes.data(),
                                       count, layer, &program);
      status != SPARSEC_OK)
    return sparsec::Error::last(status);
  return sparsec::Attention(program, device);
}

} // namespace

${definitions}")
file(RENAME ${BASE}/include/${NAME}.hpp.new ${BASE}/include/${NAME}.hpp)
