// A pattern as a caller of the C interface names it.
#pragma once

#include "patterns/Pattern.h"
#include "runtime/c/sparsec.h"

namespace sparsec {

struct SourcePattern {
  Pattern pattern;
  std::vector<HeadEntry> layer; ///< the entries that heads take in turn
};

/// Errors are those of the language, with their places; or name the field.
Result<SourcePattern> readPattern(const sparsec_pattern &source);
/// The same, whatever its layers are: `layer` is left empty.
Result<Pattern> readWholePattern(const sparsec_pattern &source);
/// Reads a file that `--order` names.
FileReader filesHere();

} // namespace sparsec
