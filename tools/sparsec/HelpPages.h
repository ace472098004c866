// Texts that are inside the command: pages of the documents, and schemas of the files people write.
#pragma once

#include <span>
#include <string_view>

namespace sparsec::cli {

struct EmbeddedText {
  std::string_view name, text;
};

std::span<const EmbeddedText> helpPages();
std::span<const EmbeddedText> schemas();

} // namespace sparsec::cli
