#include "tools/sparsec/OperationFlag.h"

#include "tools/sparsec/Options.h"

#include <fmt/format.h>

#include <algorithm>

namespace sparsec::cli {
namespace {

std::string readOperation(const std::string &name, const std::vector<std::string> &known,
                          std::vector<std::string> &read) {
  if (std::ranges::find(known, name) == known.end())
    return fmt::format("expected {}, found '{}'{}", listed(known), name, suggestion(name, known));
  if (std::ranges::find(read, name) != read.end())
    return fmt::format("{} is given twice", name);
  read.push_back(name);
  return "";
}

} // namespace

void declareOperationFlag(Options &options, std::vector<std::string> &operations,
                          const std::vector<std::string> &more) {
  std::vector<std::string> known = operations;
  std::ranges::copy(more, std::back_inserter(known));
  options.value("--op", "NAMES",
                fmt::format("{}{} ({})", listed(known), known.size() > 1 ? ", comma-separated" : "",
                            more.empty() ? "all there are" : listed(operations, "and")),
                [&operations, known](const std::string &text) -> std::string {
                  std::vector<std::string> read;
                  for (size_t begin = 0; begin <= text.size();) {
                    size_t end = std::min(text.find(',', begin), text.size());
                    std::string wrong = readOperation(text.substr(begin, end - begin), known, read);
                    if (!wrong.empty())
                      return wrong;
                    begin = end + 1;
                  }
                  operations = std::move(read);
                  return "";
                });
}

} // namespace sparsec::cli
