// The layers of a model: which entries of its pattern the heads of each take in turn.
//
//   layers: [column, row, row, row]     layer 0 of 4: column in all heads
//                                       layers 1 2 3 of 4: row in all heads
//   layers: [[column, row, row]]        one layer: column in heads 0 3 6 .., row in heads 1 4 7 ..
//                                       and in heads 2 5 8 ..
//   two entries and no `layers:`        one layer: the first entry in heads 0 2 4 .., the second in
//                                       heads 1 3 5 ..
//
// Layers that give every head the same entry are one distinct layer. The model may have any number
// of layers: layer i is the file's layer i mod their number.
#pragma once

#include "layout/HeadTables.h"
#include "patterns/Pattern.h"

namespace sparsec::cli {

struct Layer {
  std::vector<int> entries;     ///< of the pattern; head h of the model takes entries[h mod size]
  std::vector<int64_t> indices; ///< of the file's layers that are this one
  int64_t of = 1;               ///< how many the file has; 1 without `layers:`

  /// "layer 0 of 4", "layers 1 2 3 of 4"
  std::string title() const;
};

/// In the order of their first indices. Never empty.
std::vector<Layer> distinctLayers(const Pattern &pattern);
/// Of distinct layers the one that is layer `index` of the model.
const Layer &layerAt(const std::vector<Layer> &distinct, int64_t index);

/// One place of a layer's list, and the heads of the model that take its entry: none where the
/// model has too few.
struct EntryUse {
  int entry = 0;
  Heads heads;
};
std::vector<EntryUse> usesOf(const Layer &layer, int64_t modelHeads);

/// The entries of these layers, each once, in the order of the file.
std::vector<int> entriesOf(const std::vector<Layer> &layers);

/// A layer as a pattern without `layers:`: an entry for each place of its list, so names may come
/// again.
Pattern patternOf(const Pattern &pattern, const Layer &layer);

} // namespace sparsec::cli
