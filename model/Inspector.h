// What attention looks at: the weights of a model's layers on given sequences, computed by kernels
// from the queries and keys that its forward pass leaves.
//
//   Inspector inspector = *Inspector::load(machine, model, sequences, block);
//   inspector.run(weights, tokens, [&](AttentionView &view) {       after each layer's attention
//     view.sums(head)                     block sums of the weights, and of their squares
//     view.mass(head, attend)             the weight that lies inside a predicate
//     view.row(head, sequence, query)     one query's weights, key by key
//   });
#pragma once

#include "model/Transformer.h"
#include "runtime/AttentionMass.h"

namespace sparsec {

/// Of one head and sequence: [rows, rows] blocks of `block` positions; the last may be shorter.
/// Everywhere `queries` is how many were looked at, AttentionView::queries().
struct BlockSums {
  int64_t block = 0, rows = 0;
  std::vector<double> mass, squares;

  double total() const;
  /// The mean over queries of the sum of squared weights, as a number of keys: so many, if all had
  /// the same weight.
  double effectiveKeys(int64_t queries) const;
  /// Mass of a block, over its queries: a row adds up to 1.
  double share(int64_t row, int64_t column, int64_t queries) const;
};

/// How far the block rows of some sequences are from their mean: half the sum of absolute
/// differences, averaged. 0: weights that do not depend on what is read; near 1: they have nothing
/// in common.
double changeOf(std::span<const BlockSums> sequences, int64_t queries);

class Inspector;

class AttentionView {
public:
  int64_t layer() const { return number; }
  /// From the first position on; none beyond them enters a sum.
  int64_t queries() const;
  /// The entry of the pattern that a head takes.
  const HeadEntry &entry(int64_t head) const;
  /// Of each sequence.
  Result<std::vector<BlockSums>> sums(int64_t head);
  /// Inside a closed predicate, of each sequence: sums over all queries.
  Result<std::vector<double>> mass(int64_t head, const Expr &attend);
  Result<std::vector<float>> row(int64_t head, int64_t sequence, int64_t query);

private:
  friend class Inspector;
  AttentionView(Inspector &inspector, int64_t layer) : inspector(inspector), number(layer) {}
  Inspector &inspector;
  int64_t number;
};

class Inspector {
public:
  /// `block`: a multiple of 16 from 16 to 128; 0: so that there are at most 64 rows of them, where
  /// that can be.
  static Result<Inspector> load(Machine &machine, std::shared_ptr<const Transformer> model,
                                int64_t sequences, int block = 0);
  /// One forward pass over [sequences, given] tokens, given <= the model's length: the queries are
  /// those that have read nothing else, up to the one after the last token where there is one.
  Result<void> run(std::span<const float> weights, std::span<const uint8_t> tokens,
                   const std::function<Result<void>(AttentionView &)> &visit);

private:
  friend class AttentionView;
  struct Sums {
    std::vector<MassBlock> blocks;
    std::vector<float> mass, squares; ///< [sequences, blocks]
  };
  AttentionShape shape() const;
  /// Queries or keys of a layer: [sequences, heads, length, dim].
  Tensor projection(int64_t layer, int64_t firstColumn) const;
  Tensor lse(int64_t layer) const;
  Result<Sums> sumsOf(int64_t layer, int64_t head, const Expr &attend);
  Result<Attention *> rowKernel(const HeadEntry &entry);

  Machine *machine = nullptr;
  std::shared_ptr<const Transformer> model;
  int64_t sequences = 1, queries = 0;
  int block = 16;
  ListMemory memory;
  RunningList list;
  std::map<std::string, AttentionMass> kernels;
  std::map<std::string, Attention> rowKernels;
  Buffer unit; ///< [2 n, kUnitColumns]: zeros with an identity in the middle
};

} // namespace sparsec
