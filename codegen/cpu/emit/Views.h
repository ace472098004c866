// The matrices that a kernel is given: where their rows are, and parts of rows that end anywhere.
#pragma once

#include "codegen/cpu/emit/Positions.h"

namespace sparsec::cpu {

/// A view argument as fields of the argument struct.
struct View {
  llvm::Value *base = nullptr;
  llvm::SmallVector<llvm::Value *> strides; ///< in elements
  llvm::Type *element = nullptr;            ///< as memory holds it: 16-bit floats as i16
  mlir::Type type;
};

class Views {
public:
  Views(Frame &frame, Positions &positions)
      : frame(frame), code(frame.code), positions(positions) {}

  static constexpr int64_t kRowsAhead = 4; ///< that copies ask for: tables are so much longer

  void add(mlir::Value argument, View view) { views[argument] = std::move(view); }
  const View &of(mlir::Value argument) const { return views.find(argument)->second; }

  llvm::Value *rowPointer(const View &view, llvm::ArrayRef<llvm::Value *> indices,
                          const RowTable &rows, llvm::Value *row, llvm::Value *position);
  llvm::Value *rowPointers(const View &view, mlir::ValueRange indices, mlir::Value rows,
                           llvm::Value *missing, llvm::Value *firstColumn = nullptr);
  void padRows(const View &view, llvm::Value *pointers, int64_t rows, const Stretch &columns);

  using AtLanes = llvm::function_ref<void(llvm::Value *at, llvm::Value *mask)>;
  void overStretch(const Stretch &stretch, int width, AtLanes body);
  llvm::Value *maskOf(const Stretch &stretch, llvm::Value *at, int width);
  llvm::Value *loadMasked(llvm::Type *type, llvm::Value *pointer, llvm::Value *mask);

private:
  using Value = mlir::Value;
  Frame &frame;
  Code &code;
  Positions &positions;
  llvm::DenseMap<Value, View> views;
};

} // namespace sparsec::cpu
