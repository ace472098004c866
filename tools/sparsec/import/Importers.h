// What becomes of files that other libraries describe attention with: a pattern file's text.
//
//   block mask (.npy of 0 and 1, or CSR)    blocks by number, as lists of where runs begin and end
//   DeepSpeed's sparse_attention            its modes, block for block
//   Hugging Face's config.json              windows and chunks of its layers
#pragma once

#include "patterns/Pattern.h"
#include "tools/sparsec/import/Npy.h"

#include <nlohmann/json.hpp>

namespace sparsec::cli {

/// A pattern's text, and the lists that stand beside it.
struct Imported {
  std::string text;
  std::vector<std::pair<std::string, std::string>> files; ///< name and contents
};

struct ImportChoice {
  std::string name = "imported";
  Block block;              ///< of a mask
  int64_t heads = 1;        ///< of the model, where the file does not say
  bool filesBeside = false; ///< long lists may stand in files
};

/// Live blocks of each head of a mask, by rows.
struct BlockMask {
  int64_t rows = 0, columns = 0;
  std::vector<std::vector<int32_t>>
      borders; ///< by head: of runs of live numbers row * columns + column
};
/// [rows, columns] or [heads, rows, columns]; what is not 0 is live.
Result<BlockMask> maskOf(const NpyArray &array, const std::string &name);
/// CSR: offsets [rows + 1] or [heads, rows + 1], and columns [live] or [heads, live].
Result<BlockMask> maskOf(const NpyArray &offsets, const NpyArray &columns, int64_t columnCount,
                         const std::string &name);
Result<Imported> importMask(const BlockMask &mask, const ImportChoice &choice);

Result<Imported> importDeepSpeed(const nlohmann::json &config, const ImportChoice &choice);
Result<Imported> importHuggingFace(const nlohmann::json &config, const ImportChoice &choice);

} // namespace sparsec::cli
