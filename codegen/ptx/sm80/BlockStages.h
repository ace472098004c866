// The stages of shared memory that the blocks of a chain of folds pass through: while one is
// computed the next are on their way.
//
//   stage      0        1        0        1        ...
//   copies     block 0  block 1  block 2  block 3         a stage is written again once everyone
//   computed            block 0  block 1  block 2         is done with what it held
//
// There are two, or in a fold over a range as many as the kernel's `tile.stages` says. A block's
// column is read one block before its copies need it; in a fold over a range it is the block's
// index. Folds that copy nothing have no stages.
#pragma once

#include "codegen/ptx/sm80/FoldChain.h"
#include "codegen/ptx/sm80/PipelineBuilder.h"

#include "mlir/IR/IRMapping.h"

namespace sparsec::sm80 {

class BlockStages {
public:
  using Value = mlir::Value;

  /// What a loop knows of a block.
  struct Carried {
    Value column; ///< of this block
    Value next;   ///< of the next
    Value stage;  ///< that this block lies in; null where nothing is copied
  };

  explicit BlockStages(const FoldChain &chain);

  /// Groups of copies that may be in flight while a block is computed, its own not among them.
  int ahead() const { return count - 1; }
  /// Whether anything goes through the stages; known once they are allocated.
  bool copies() const { return !buffers.empty(); }
  /// What of it goes from one block to the next beside the fold's own carries, and back.
  mlir::SmallVector<Value, 3> packed(const Carried &carried) const;
  Carried unpacked(PipelineBuilder &emit, mlir::ValueRange values, Value index) const;
  unsigned packedSize() const { return (list ? 2 : 0) + (copies() ? 1 : 0); }

  /// Buffers for what a block fetches into shared memory.
  mlir::LogicalResult allocate(mlir::Block &body);
  /// Where the blocks are, in the row's list.
  void findBounds(PipelineBuilder &emit);
  Value begin(tile::FoldOp fold) const { return fold == chain.first() ? from : middle; }
  Value end(tile::FoldOp fold) const { return fold == chain.last() ? to : middle; }

  /// Before any loop: the copies of as many blocks as are ahead, where there are any; a group each.
  Carried first(PipelineBuilder &emit);
  /// In the loop, at the block of `index`: the copies of the one that comes into the stage of the
  /// one before it. Gives what the next turn knows.
  Carried prefetch(PipelineBuilder &emit, tile::FoldOp fold, Value index, const Carried &now);
  /// What the fetch region gives for the block that is computed: its tiles are where they were
  /// copied to, or loaded now to registers.
  void mapFetched(PipelineBuilder &emit, tile::FoldOp fold, const Carried &now,
                  mlir::IRMapping &map) const;

private:
  FoldChain chain;
  int count = 2;
  mlir::SmallVector<Value> buffers; ///< of a fetch's loads into shared memory, in order
  Value list;                       ///< null: a range
  Value from, middle, to, last;

  Value nextStage(PipelineBuilder &emit, Value stage) const;
  Value stageBefore(PipelineBuilder &emit, Value stage) const;
  Value columnAt(PipelineBuilder &emit, Value index) const;
  void copyAhead(PipelineBuilder &emit, tile::FoldOp fold, Value index, Value stage) const;
  void copyBlock(PipelineBuilder &emit, tile::FoldOp fold, Value column, Value stage) const;
};

/// The buffer of a tile; error: one that is not lowered to copies.
mlir::FailureOr<mlir::Value> allocateBuffer(PipelineBuilder &emit, tile::LoadOp load, int stages);
/// The copy that a load becomes, its operands by `map`. `valid`: all of the tile exists.
void copyTile(PipelineBuilder &emit, tile::LoadOp load, const mlir::IRMapping &map,
              mlir::Value buffer, bool valid = false);

} // namespace sparsec::sm80
