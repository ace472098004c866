#include "runtime/cuda/Assemble.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fmt/format.h>

namespace sparsec {

namespace {

/// The number that stands before `phrase` in a line ("12 bytes stack frame"); 0 where there is
/// none.
int numberBefore(std::string_view line, std::string_view phrase) {
  size_t end = line.find(phrase);
  if (end == std::string_view::npos)
    return 0;
  size_t begin = end;
  while (begin > 0 && line[begin - 1] >= '0' && line[begin - 1] <= '9')
    --begin;
  int value = 0;
  std::from_chars(line.data() + begin, line.data() + end, value);
  return value;
}

bool hasConcernNumber(std::string_view line) {
  for (size_t at = line.find("C75"); at != std::string_view::npos; at = line.find("C75", at + 1)) {
    auto digit = [&](size_t i) { return i < line.size() && line[i] >= '0' && line[i] <= '9'; };
    if (digit(at + 3) && digit(at + 4) && !digit(at + 5))
      return true;
  }
  return false;
}

void readLine(AssembleReport &report, std::string_view line) {
  report.registers = std::max(report.registers, numberBefore(line, " registers"));
  report.stack = std::max(report.stack, numberBefore(line, " bytes stack frame"));
  report.spillStores += numberBefore(line, " bytes spill stores");
  report.spillLoads += numberBefore(line, " bytes spill loads");
  report.shared = std::max(report.shared, numberBefore(line, " bytes smem"));
  // NVRTC ends its log with a NUL and some logs have carriage returns.
  while (!line.empty() && (line.back() == '\r' || line.back() == '\0'))
    line.remove_suffix(1);
  if (hasConcernNumber(line))
    report.concerns.emplace_back(line);
  else if (line.find("warning") != std::string_view::npos)
    report.warnings.emplace_back(line);
}

std::string environment(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

} // namespace

AssembleReport parseAssemblerLog(std::string_view log) {
  AssembleReport report;
  while (!log.empty()) {
    size_t end = std::min(log.find('\n'), log.size());
    readLine(report, log.substr(0, end));
    log.remove_prefix(std::min(end + 1, log.size()));
  }
  return report;
}

AssemblerSearch AssemblerSearch::fromEnvironment() {
  AssemblerSearch search;
  search.nvrtc = environment("SPARSEC_NVRTC");
  search.ptxas = environment("SPARSEC_PTXAS");
  search.cudaHome = environment("CUDA_HOME");
  if (search.cudaHome.empty())
    search.cudaHome = environment("CUDA_PATH");
  search.path = environment("PATH");
  return search;
}

Assemblers Assemblers::open(const AssemblerSearch &search) {
  Assemblers assemblers;
  auto add = [&](std::string_view name, Result<std::unique_ptr<Assembler>> opened) {
    if (opened)
      assemblers.found.push_back(std::move(*opened));
    else
      assemblers.missing.push_back(fmt::format("{}: {}", name, opened.error().message));
  };
  add("nvrtc", openNvrtc(search));
  add("ptxas", openPtxas(search));
  return assemblers;
}

Result<Cubin> Assemblers::assemble(const std::string &ptx, const std::string &arch) const {
  if (found.empty()) {
    Error error = machineError("neither NVRTC nor ptxas was found to assemble PTX");
    error.notes = missing;
    return error;
  }
  Error error;
  for (const std::unique_ptr<Assembler> &assembler : found) {
    Result<Cubin> cubin = assembler->assemble(ptx, arch);
    if (cubin)
      return cubin;
    // The last one knows most: ptxas takes everything that is PTX at all.
    error = cubin.error();
  }
  return error;
}

} // namespace sparsec
