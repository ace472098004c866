// What writers of tile.kernels share: named arguments, the kernel around a body, regions of folds.
#pragma once

#include "dialect/TileBuilder.h"

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
  void write(llvm::StringRef symbol, Body &&body) {
    kernel = b.create<tile::KernelOp>(symbol, b.getArrayAttr(names), optional);
    mlir::Block &block = kernel.getBody().emplaceBlock();
    block.addArguments(types, llvm::SmallVector<mlir::Location>(types.size(), b.getLoc()));
    mlir::OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&block);
    body();
    b.create<tile::ReturnOp>();
    names.clear(), types.clear(), optional.clear();
  }

  /// The block of a region, with arguments of these types; the builder writes there.
  mlir::Block &enter(mlir::Region &region, mlir::TypeRange types) {
    mlir::Block &block = region.emplaceBlock();
    block.addArguments(types, llvm::SmallVector<mlir::Location>(types.size(), b.getLoc()));
    b.setInsertionPointToStart(&block);
    return block;
  }

  tile::TileBuilder b;

private:
  tile::KernelOp kernel;
  llvm::SmallVector<mlir::Attribute> names;
  llvm::SmallVector<mlir::Type> types;
  llvm::SmallVector<bool> optional;
};

} // namespace sparsec::ops
