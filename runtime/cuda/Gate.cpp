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
  std::string_view name;
  uint32_t type = 0, link = 0;
  uint64_t offset = 0, size = 0;
};

/// A function of the symbol table: of a kernel's section, its parts.
struct Symbol {
  std::string_view name;
  uint16_t section = 0;
  uint64_t begin = 0, size = 0;
};

bool inside(std::string_view file, uint64_t offset, uint64_t size) {
  return offset <= file.size() && size <= file.size() - offset;
}

Error damaged(std::string_view what) {
  return internalError(fmt::format("a cubin that cannot be read: {}", what));
}

/// The text at an offset of a table of strings; empty where it lies outside.
std::string_view textAt(std::string_view table, uint64_t offset) {
  if (offset >= table.size())
    return {};
  table.remove_prefix(offset);
  return table.substr(0, table.find('\0'));
}

Result<std::vector<Section>> readSections(std::string_view file) {
  constexpr std::string_view magic = "\x7f"
                                     "ELF\x02"; // 64 bits
  if (file.size() < headerBytes || file.substr(0, magic.size()) != magic)
    return damaged("expected a 64-bit ELF file");
  uint64_t table = readAt<uint64_t>(file, 0x28);
  uint16_t entryBytes = readAt<uint16_t>(file, 0x3a);
  uint16_t count = readAt<uint16_t>(file, 0x3c);
  uint16_t namesIndex = readAt<uint16_t>(file, 0x3e);
  if (entryBytes != sectionBytes || !inside(file, table, uint64_t(count) * sectionBytes))
    return damaged("the section table lies outside of the file");
  std::vector<Section> sections;
  std::vector<uint32_t> names;
  for (uint16_t i = 0; i < count; ++i) {
    size_t at = table + size_t(i) * sectionBytes;
    names.push_back(readAt<uint32_t>(file, at));
    Section section{{},
                    readAt<uint32_t>(file, at + 4),
                    readAt<uint32_t>(file, at + 40),
                    readAt<uint64_t>(file, at + 24),
                    readAt<uint64_t>(file, at + 32)};
    constexpr uint32_t noBits = 8; // occupies no space in the file
    if (section.type == noBits)
      section.size = 0;
    else if (!inside(file, section.offset, section.size))
      return damaged("a section lies outside of the file");
    sections.push_back(section);
  }
  if (namesIndex >= count)
    return damaged("no table of section names");
  std::string_view texts = file.substr(sections[namesIndex].offset, sections[namesIndex].size);
  for (uint16_t i = 0; i < count; ++i)
    sections[i].name = textAt(texts, names[i]);
  return sections;
}

std::vector<Symbol> readFunctions(std::string_view file, const std::vector<Section> &sections) {
  constexpr uint32_t symbolTable = 2;
  constexpr size_t symbolBytes = 24;
  constexpr uint8_t function = 2;
  std::vector<Symbol> symbols;
  for (const Section &section : sections) {
    if (section.type != symbolTable || section.link >= sections.size())
      continue;
    const Section &texts = sections[section.link];
    for (uint64_t at = 0; at + symbolBytes <= section.size; at += symbolBytes) {
      size_t place = section.offset + at;
      if ((readAt<uint8_t>(file, place + 4) & 15) == function)
        symbols.push_back(
            {textAt(file.substr(texts.offset, texts.size), readAt<uint32_t>(file, place)),
             readAt<uint16_t>(file, place + 6), readAt<uint64_t>(file, place + 8),
             readAt<uint64_t>(file, place + 16)});
    }
  }
  return symbols;
}

/// Whether the code at an address of a kernel's section is the kernel's own or a helper of ptxas.
/// A kernel's symbol spans its whole section, so a function within it is looked for first.
bool isHelper(const std::vector<Symbol> &symbols, uint16_t section, std::string_view kernel,
              uint64_t address) {
  for (const Symbol &symbol : symbols)
    if (symbol.section == section && symbol.name != kernel && address >= symbol.begin &&
        address - symbol.begin < symbol.size)
      return symbol.name.substr(0, 12) == "$__internal_";
  return true;
}

SassFunction count(std::string_view kernel, std::string_view code, uint16_t section,
                   const std::vector<Symbol> &symbols) {
  SassFunction function;
  function.name = kernel;
  for (size_t at = 0; at + instructionBytes <= code.size(); at += instructionBytes) {
    uint64_t word = readAt<uint64_t>(code, at), opcode = word & opcodeMask;
    ++function.instructions;
    function.localLoads += opcode == opcodeLdl;
    function.localStores += opcode == opcodeStl;
    if (opcode == opcodeCallRelative) {
      uint64_t target = at + instructionBytes + int64_t(int32_t(word >> 32));
      ++(isHelper(symbols, section, kernel, target) ? function.helperCalls : function.calls);
    }
    function.calls += opcode == opcodeCallAbsolute;
  }
  return function;
}

} // namespace

Result<std::vector<SassFunction>> readSass(std::string_view cubin) {
  Result<std::vector<Section>> sections = readSections(cubin);
  if (!sections)
    return sections.error();
  std::vector<Symbol> symbols = readFunctions(cubin, *sections);
  constexpr std::string_view prefix = ".text.";
  std::vector<SassFunction> functions;
  for (size_t i = 0; i < sections->size(); ++i) {
    const Section &section = (*sections)[i];
    if (section.name.substr(0, prefix.size()) == prefix)
      functions.push_back(count(section.name.substr(prefix.size()),
                                cubin.substr(section.offset, section.size), uint16_t(i), symbols));
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
