// What any text must be to the language: refused with a message, or a pattern that prints and reads
// back, whose pairs are counted as evaluation counts them and whose layouts are exact.
#pragma once

#include <string>

namespace sparsec::testing {

/// What is wrong with how a text is taken, as a pattern file and as an expression; empty: nothing.
std::string checkInput(const std::string &text);

} // namespace sparsec::testing
