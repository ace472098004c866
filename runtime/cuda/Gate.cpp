#include "runtime/cuda/Gate.h"

#include <cstdint>
#include <cstring>
#include <fmt/format.h>

namespace sparsec {

namespace {

// Fields of an ELF64 header and section header: where they stand and how wide they are.
constexpr size_t headerBytes = 64;
constexpr size_t sectionBytes = 64;
constexpr size_t instructionBytes = 16;
constexpr uint64_t opcodeMask = 0x1ff;
constexpr uint64_t opcodeLdl = 0x183;
constexpr uint64_t opcodeStl = 0x187;
constexpr uint64_t opcodeCallAbsolute = 0x143;
constexpr uint64_t opcodeCallRelative = 0x144;

template <class T>
T readAt(std::string_view bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

struct Section {
  uint32_t name = 0;
  uint64_t offset = 0, size = 0;
};

bool inside(std::string_view file, uint64_t offset, uint64_t size) {
  return offset <= file.size() && size <= file.size() - offset;
}

Error damaged(std::string_view what) {
  return internalError(fmt::format("a cubin that cannot be read: {}", what));
}

Result<std::vector<Section>> readSections(std::string_view file) {
  if (file.size() < headerBytes ||
      file.substr(0, 4) != "\x7f"
                           "ELF" ||
      file[4] != 2)
    return damaged("expected a 64-bit ELF file");
  uint64_t table = readAt<uint64_t>(file, 0x28);
  uint16_t entryBytes = readAt<uint16_t>(file, 0x3a);
  uint16_t count = readAt<uint16_t>(file, 0x3c);
  if (entryBytes != sectionBytes || !inside(file, table, uint64_t(count) * sectionBytes))
    return damaged("the section table lies outside of the file");
  std::vector<Section> sections;
  for (uint16_t i = 0; i < count; ++i) {
    size_t at = table + size_t(i) * sectionBytes;
    Section section{readAt<uint32_t>(file, at), readAt<uint64_t>(file, at + 24),
                    readAt<uint64_t>(file, at + 32)};
    constexpr uint32_t noBits = 8; // occupies no space in the file
    if (readAt<uint32_t>(file, at + 4) == noBits)
      section.size = 0;
    else if (!inside(file, section.offset, section.size))
      return damaged("a section lies outside of the file");
    sections.push_back(section);
  }
  return sections;
}

SassFunction count(std::string name, std::string_view code) {
  SassFunction function;
  function.name = std::move(name);
  for (size_t at = 0; at + instructionBytes <= code.size(); at += instructionBytes) {
    uint64_t opcode = readAt<uint64_t>(code, at) & opcodeMask;
    ++function.instructions;
    function.localLoads += opcode == opcodeLdl;
    function.localStores += opcode == opcodeStl;
    function.calls += opcode == opcodeCallAbsolute || opcode == opcodeCallRelative;
  }
  return function;
}

} // namespace

Result<std::vector<SassFunction>> readSass(std::string_view cubin) {
  Result<std::vector<Section>> sections = readSections(cubin);
  if (!sections)
    return sections.error();
  uint16_t namesIndex = readAt<uint16_t>(cubin, 0x3e);
  if (namesIndex >= sections->size())
    return damaged("no table of section names");
  std::string_view names =
      cubin.substr((*sections)[namesIndex].offset, (*sections)[namesIndex].size);
  constexpr std::string_view prefix = ".text.";
  std::vector<SassFunction> functions;
  for (const Section &section : *sections) {
    if (section.name >= names.size())
      return damaged("a section without a name");
    std::string_view name = names.substr(section.name);
    name = name.substr(0, name.find('\0'));
    if (name.substr(0, prefix.size()) == prefix)
      functions.push_back(count(std::string(name.substr(prefix.size())),
                                cubin.substr(section.offset, section.size)));
  }
  if (functions.empty())
    return damaged("it holds no code");
  return functions;
}

Result<void> gate(const AssembleReport &report, const std::vector<SassFunction> &sass) {
  Error error = internalError("the machine code of a kernel does not pass the gate");
  if (report.spillStores || report.spillLoads)
    error.notes.push_back(fmt::format("registers spill: {} bytes stored, {} bytes loaded",
                                      report.spillStores, report.spillLoads));
  for (const std::string &line : report.concerns)
    error.notes.push_back(line);
  for (const SassFunction &function : sass) {
    if (function.localLoads || function.localStores)
      error.notes.push_back(fmt::format("{} uses local memory: {} loads, {} stores", function.name,
                                        function.localLoads, function.localStores));
    if (function.calls)
      error.notes.push_back(
          fmt::format("{} has {} calls that are not inlined", function.name, function.calls));
  }
  if (error.notes.empty())
    return {};
  return error;
}

Result<void> gate(const Cubin &cubin) {
  Result<std::vector<SassFunction>> sass = readSass(cubin.image);
  if (!sass)
    return sass.error();
  return gate(cubin.report, *sass);
}

} // namespace sparsec
