// What writers of tile.kernels share: named arguments, the kernel around a body, regions of folds.
#pragma once

#include "dialect/TileBuilder.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace sparsec::ops {

class KernelWriter {
protected:
  KernelWriter(mlir::Location place, mlir::OpBuilder &builder) : b(place, builder) {}

  void addArgument(llvm::StringRef name, mlir::Type type, bool isOptional = false) {
    names.push_back(b.getStringAttr(name));
    types.push_back(type);
    optional.push_back(isOptional);
  }
  mlir::Value argument(llvm::StringRef name) { return kernel.argument(name); }

  /// The kernel of the arguments that were added since the last one; `body` writes what it does.
  template <class Body>
  tile::KernelOp write(llvm::StringRef symbol, Body &&body) {
    kernel = b.create<tile::KernelOp>(symbol, b.getArrayAttr(names), optional);
    mlir::Block &block = kernel.getBody().emplaceBlock();
    block.addArguments(types, llvm::SmallVector<mlir::Location>(types.size(), b.getLoc()));
    mlir::OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&block);
    body();
    b.create<tile::ReturnOp>();
    names.clear(), types.clear(), optional.clear();
    return kernel;
  }

  /// The block of a region, with arguments of these types; the builder writes there.
  mlir::Block &enter(mlir::Region &region, mlir::TypeRange types) {
    mlir::Block &block = region.emplaceBlock();
    block.addArguments(types, llvm::SmallVector<mlir::Location>(types.size(), b.getLoc()));
    b.setInsertionPointToStart(&block);
    return block;
  }

  /// Over low .. high - 1 in order: `step` takes what `fetch` loads and the carries, and gives the
  /// next carries.
  template <class Fetch, class Step>
  llvm::SmallVector<mlir::Value> foldRange(mlir::Value low, mlir::Value high, mlir::ValueRange init,
                                           Fetch &&fetch, Step &&step) {
    auto fold = b.create<tile::FoldOp>(init.getTypes(), b.create<tile::RangeOp>(low, high), init);
    mlir::OpBuilder::InsertionGuard guard(b);
    mlir::Block &ofFetch = enter(fold.getFetch(), b.getI32Type());
    llvm::SmallVector<mlir::Value> fetched = fetch(ofFetch.getArgument(0));
    b.create<tile::YieldOp>(fetched);
    llvm::SmallVector<mlir::Type> types(mlir::ValueRange(fetched).getTypes());
    enter(fold.getLead(), types);
    b.create<tile::YieldOp>(mlir::ValueRange());
    llvm::append_range(types, init.getTypes());
    mlir::ValueRange given = enter(fold.getStep(), types).getArguments();
    llvm::SmallVector<mlir::Value> next =
        step(given.take_front(fetched.size()), given.drop_front(fetched.size()));
    b.create<tile::YieldOp>(next);
    return llvm::SmallVector<mlir::Value>(fold.getResults());
  }

  /// Over low .. high - 1 in order.
  mlir::Value loop(mlir::Value low, mlir::Value high, mlir::Value init,
                   llvm::function_ref<mlir::Value(mlir::Value index, mlir::Value carried)> body) {
    auto made = b.create<mlir::scf::ForOp>(low, high, b.i32(1), mlir::ValueRange{init});
    mlir::OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(made.getBody());
    b.create<mlir::scf::YieldOp>(body(made.getInductionVar(), made.getRegionIterArgs()[0]));
    return made.getResult(0);
  }

  tile::TileBuilder b;

private:
  tile::KernelOp kernel;
  llvm::SmallVector<mlir::Attribute> names;
  llvm::SmallVector<mlir::Type> types;
  llvm::SmallVector<bool> optional;
};

} // namespace sparsec::ops
