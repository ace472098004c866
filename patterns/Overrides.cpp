#include "patterns/ReadPattern.h"

#include <fmt/format.h>

namespace sparsec {

Result<void> addParam(PatternOverrides &overrides, const std::string &assignment) {
  auto source = std::make_shared<SourceText>(SourceText{"--param", assignment});
  SourceLines lines(source);
  size_t sign = assignment.find('=');
  std::string name = assignment.substr(0, sign);
  if (sign == std::string::npos || !isIdentifier(name))
    return inputError(fmt::format("expected NAME=INTEGER, found {}", quote(assignment)),
                      lines.at(0, static_cast<int>(assignment.size())));
  std::string text = assignment.substr(sign + 1);
  std::optional<int64_t> value = decimal(text);
  if (!value)
    return inputError(fmt::format("expected a value for {}, a decimal integer of 64 bits, found {}",
                                  quote(name), text.empty() ? "nothing" : quote(text)),
                      lines.at(sign + 1, static_cast<int>(text.size())));
  if (!overrides.params.emplace(name, *value).second)
    return inputError(fmt::format("expected each parameter once, found {} again", quote(name)),
                      lines.at(0, static_cast<int>(name.size())));
  overrides.where[name] = lines.at(0, static_cast<int>(name.size()));
  return {};
}

} // namespace sparsec
