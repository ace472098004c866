// store-in-parts: what is done to a tile of sums on its way to memory is done for 16 rows of each
// warp at a time.
//
//   %b = tile.load %residual       : tensor<128x128xf32, #acc>     64 registers a thread for %sum,
//   %y = arith.addf %sum, %b       : tensor<128x128xf32, #acc>     64 for %b; with everything in
//   tile.store %y                                                  parts 64 and 16
//
// becomes, with #part0 = #warp.part<0 of 4, #acc>,
//
//   %s0 = warp.part %sum           : tensor<128x128xf32, #part0>   the type keeps the tile's shape
//   %b0 = tile.load %residual      : tensor<128x128xf32, #part0>
//   %y0 = arith.addf %s0, %b0
//   tile.store %y0
//   ... and so on for the other parts
//
// Only where encodings gave a warp more than 16 rows: then no value crosses rows or threads, and an
// element is loaded, changed and stored by one thread, so that the order of the parts does not
// matter, not even where a tile is loaded from where another is stored to.
#include "codegen/ptx/Fragments.h"
#include "codegen/ptx/Passes.h"
#include "codegen/ptx/Warp.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace sparsec {
#define GEN_PASS_DEF_STOREINPARTS
#include "codegen/ptx/Passes.h.inc"

namespace {

/// Of a tile of sums with several parts; null for other values.
warp::AccumulatorAttr tallTile(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  auto encoding =
      type ? dyn_cast_or_null<warp::AccumulatorAttr>(type.getEncoding()) : warp::AccumulatorAttr();
  bool tall = encoding && encoding.getRows() > fragments::kMmaRows;
  return tall && type.getRank() == 2 ? encoding : warp::AccumulatorAttr();
}

/// One part of all that the stores of a block take.
class Part {
public:
  Part(OpBuilder &builder, mlir::Block *block, int index)
      : builder(builder), block(block), index(index) {}

  void store(tile::StoreOp whole) {
    IRMapping map;
    map.map(whole.getValue(), of(whole.getValue()));
    builder.clone(*whole, map);
  }

private:
  OpBuilder &builder;
  mlir::Block *block;
  int index;
  DenseMap<Value, Value> made;

  static bool isComputedByParts(Operation *op) {
    return OpTrait::hasElementwiseMappableTraits(op) ||
           isa<tile::LoadOp, tile::ExpandOp, tile::SplatOp, arith::ConstantOp>(op);
  }

  RankedTensorType typeOf(Value whole) {
    auto type = cast<RankedTensorType>(whole.getType());
    warp::AccumulatorAttr tile = tallTile(whole);
    auto part =
        warp::PartAttr::get(type.getContext(), index, tile.getRows() / fragments::kMmaRows, tile);
    return RankedTensorType::get(type.getShape(), type.getElementType(), part);
  }

  Value of(Value whole) {
    if (!tallTile(whole))
      return whole;
    if (Value found = made.lookup(whole))
      return found;
    Operation *op = whole.getDefiningOp();
    Value part;
    if (op && isComputedByParts(op) && (op->getBlock() == block || isa<arith::ConstantOp>(op))) {
      IRMapping map;
      for (Value operand : op->getOperands())
        map.map(operand, of(operand));
      Operation *copy = builder.clone(*op, map);
      part = copy->getResult(0);
      RankedTensorType type = typeOf(whole);
      if (auto constant = dyn_cast<arith::ConstantOp>(copy))
        constant.setValueAttr(cast<DenseElementsAttr>(constant.getValue()).reshape(type));
      part.setType(type);
    } else {
      part = warp::PartOp::create(builder, whole.getLoc(), typeOf(whole), whole);
    }
    return made[whole] = part;
  }
};

struct StoreInParts : impl::StoreInPartsBase<StoreInParts> {
  void runOnOperation() override {
    mlir::Block &block = getOperation().getBody().front();
    SmallVector<tile::StoreOp> stores;
    for (auto store : block.getOps<tile::StoreOp>())
      if (tallTile(store.getValue()))
        stores.push_back(store);
    if (stores.empty())
      return;
    int parts = tallTile(stores[0].getValue()).getRows() / fragments::kMmaRows;
    OpBuilder builder(stores.back());
    for (int i = 0; i < parts; ++i) {
      Part part(builder, &block, i);
      for (tile::StoreOp store : stores)
        part.store(store);
    }
    for (tile::StoreOp store : stores)
      store.erase();
  }
};

} // namespace
} // namespace sparsec
