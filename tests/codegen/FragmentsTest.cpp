// The register maps against MLIR's own, against each other, and against what ldmatrix does.
#include "codegen/ptx/Fragments.h"
#include "codegen/ptx/sm80/MatrixLoads.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"

// MMAUtils.h takes one enum from the nvvm dialect, whose header takes a minute to compile.
#define MLIR_DIALECT_LLVMIR_NVVMDIALECT_H_
#include "mlir/Dialect/LLVMIR/NVVMOpsEnums.h.inc"
#include "mlir/Dialect/NVGPU/Utils/MMAUtils.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

using namespace sparsec::fragments;

namespace {

TEST(Fragments, EveryElementOfATileIsHeldOnce) {
  for (int columns : {8, 16, 64, 256}) {
    Fragment c = accumulator(columns);
    std::set<std::pair<int, int>> held;
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < int(c.registers.size()); ++i)
        held.insert({c.at(lane, i).row, c.at(lane, i).column});
    EXPECT_EQ(held.size(), size_t(16 * columns));
    EXPECT_EQ(c.registers.size() * 32, held.size());
    EXPECT_EQ(held.rbegin()->first, 15);
  }
  Fragment a = lhs(64);
  std::set<std::pair<int, int>> held;
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < int(a.registers.size()); ++i)
      held.insert({a.at(lane, i).row, a.at(lane, i).column});
  EXPECT_EQ(held.size(), size_t(16 * 64));
}

/// Each element by as many lanes as `copies` says.
void expectEachHeld(const Fragment &held, int rows, int columns, int copies) {
  std::map<std::pair<int, int>, int> found;
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < int(held.registers.size()); ++i)
      ++found[{held.at(lane, i).row, held.at(lane, i).column}];
  EXPECT_EQ(found.size(), size_t(rows * columns));
  EXPECT_EQ(found.rbegin()->first, std::pair(rows - 1, columns - 1));
  for (auto [place, times] : found)
    EXPECT_EQ(times, copies) << place.first << ", " << place.second;
}

TEST(Fragments, TallTilesAreTwoBelowEachOther) {
  expectEachHeld(accumulator(24, 32), 32, 24, 1);
  expectEachHeld(lhs(48, 32), 32, 48, 1);
  expectEachHeld(rowsOf(accumulator(24, 32)), 32, 1, 4);
  expectEachHeld(columnsOf(accumulator(24, 32)), 1, 24, 8);
  EXPECT_EQ(rowsOf(accumulator(8, 32)).warpRows, 32);
  EXPECT_EQ(columnsOf(accumulator(8, 32)).warpRows, 0);
}

TEST(Fragments, WarpsSideBySideShareTheColumns) {
  Fragment held = accumulator(128, 64, 2); // of 128 columns each warp has 64
  expectEachHeld(held, 64, 64, 1);
  EXPECT_EQ(held.warpsAcross, 2);
  EXPECT_EQ(held.warpColumns, 64);
  EXPECT_EQ(held.registers, accumulator(64, 64).registers);
  expectEachHeld(columnsOf(held), 1, 64, 8);
  EXPECT_EQ(columnsOf(held).warpColumns, 64);
  EXPECT_EQ(columnsOf(held).warpRows, 0);
  expectEachHeld(rowsOf(held), 64, 1, 4);
  EXPECT_EQ(rowsOf(held).warpColumns, 0);
  EXPECT_EQ(rowsOf(held).warpsAcross, 2);
}

TEST(Fragments, StripesHoldWholeRowsInRuns) {
  for (auto [across, vector] : {std::pair(32, 8), {32, 4}, {4, 4}, {1, 1}, {16, 2}}) {
    Stripes stripes{across, vector};
    int rows = 2 * stripes.down(), columns = 3 * across * vector;
    Fragment held = striped(stripes, rows, columns);
    expectEachHeld(held, rows, columns, 1);
    expectEachHeld(rowsOf(held), rows, 1, across);
    expectEachHeld(columnsOf(held), 1, columns, stripes.down());
    EXPECT_EQ(held.warpRows, rows);
    for (size_t i = 0; i < held.registers.size(); ++i) // neighbours in a run
      if (i % vector)
        EXPECT_EQ(held.registers[i], held.registers[i - 1] + (Coordinate{0, 1}));
    // The lanes of a row hold neighbouring runs.
    for (int lane = 1; lane < across; ++lane)
      EXPECT_EQ(held.at(lane, 0), held.at(lane - 1, 0) + (Coordinate{0, vector}));
  }
}

TEST(Fragments, SlicesAgreeWithTheAccumulatorTheyBelongTo) {
  Fragment c = accumulator(32), row = rows(), column = columns(32);
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < int(c.registers.size()); ++i) {
      EXPECT_EQ(c.at(lane, i).row, row.at(lane, i / 2 % 2).row);
      EXPECT_EQ(c.at(lane, i).column, column.at(lane, i / 4 * 2 + i % 2).column);
    }
}

/// MLIR's map of an operand of m16n8k16: where value `index` of a lane lies.
Coordinate upstream(mlir::MLIRContext &context, mlir::nvgpu::MatMulOperandRole role,
                    std::array<int64_t, 2> shape, int lane, int index) {
  mlir::OpBuilder builder(&context);
  mlir::Type element = role == mlir::nvgpu::MatMulOperandRole::C ? mlir::Type(builder.getF32Type())
                                                                 : builder.getF16Type();
  mlir::nvgpu::WarpMatrixInfo info{mlir::VectorType::get(shape, element), role};
  auto map = mlir::nvgpu::getLaneIdAndValueIdToOperandCoord(builder, builder.getUnknownLoc(), info);
  EXPECT_TRUE(mlir::succeeded(map));
  llvm::SmallVector<mlir::Attribute> inputs = {builder.getIndexAttr(lane),
                                               builder.getIndexAttr(index)};
  llvm::SmallVector<mlir::Attribute> results;
  EXPECT_TRUE(mlir::succeeded(map->constantFold(inputs, results)));
  auto value = [&](int i) {
    return static_cast<int>(mlir::cast<mlir::IntegerAttr>(results[i]).getInt());
  };
  return {value(0), value(1)};
}

TEST(Fragments, EqualMlirsOwn) {
  using Role = mlir::nvgpu::MatMulOperandRole;
  mlir::MLIRContext context;
  Fragment c = accumulator(8), a = lhs(16);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(upstream(context, Role::C, {16, 8}, lane, i), c.at(lane, i));
      // MLIR keeps B as columns x depth.
      Coordinate b = RhsFragment::at(lane, i);
      EXPECT_EQ(upstream(context, Role::B, {8, 16}, lane, i), (Coordinate{b.column, b.row}));
    }
    for (int i = 0; i < 8; ++i)
      EXPECT_EQ(upstream(context, Role::A, {16, 16}, lane, i), a.at(lane, i));
  }
}

TEST(Fragments, MatrixLoadsGiveTheOperandsOfTheProduct) {
  // What ldmatrix.x4 puts into element `half` of register `matrix` of a lane, as (row, depth) of
  // the stored 16 x 16 area.
  auto loaded = [](MatrixRow (*rowOf)(int), bool transposed, int lane, int matrix, int half) {
    Coordinate inside =
        transposed ? matrixElementTransposed(lane, half) : matrixElement(lane, half);
    MatrixRow start = rowOf(8 * matrix + inside.row);
    return Coordinate{start.row, 8 * start.chunk + inside.column};
  };
  Fragment a = lhs(16);
  for (int lane = 0; lane < 32; ++lane)
    for (int matrix = 0; matrix < 4; ++matrix)
      for (int half = 0; half < 2; ++half) {
        EXPECT_EQ(loaded(matrixRowsDown, false, lane, matrix, half), a.at(lane, 2 * matrix + half));
        // Keys stored [n][k]: registers 0, 1 are B of columns 0..7; 2, 3 of columns 8..15.
        Coordinate b = RhsFragment::at(lane, 2 * (matrix % 2) + half);
        EXPECT_EQ(loaded(matrixRowsRight, false, lane, matrix, half),
                  (Coordinate{b.column + 8 * (matrix / 2), b.row}));
        // Values stored [k][n], transposed on the way.
        EXPECT_EQ(loaded(matrixRowsDown, true, lane, matrix, half),
                  (Coordinate{b.row, b.column + 8 * (matrix / 2)}));
      }
}

TEST(Fragments, AnAccumulatorIsALeftOperandWithoutMoving) {
  EXPECT_EQ(accumulator(64).registers, lhs(64).registers);
  EXPECT_EQ(accumulator(64).lane, lhs(64).lane);
}

} // namespace
