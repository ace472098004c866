// Writes LLVM IR for one CPU level: loops as functions of their bodies, vectors of lanes, and the
// few functions of math that kernels need, so that nothing is called out of a kernel.
#pragma once

#include "codegen/common/ScalarBuilder.h"
#include "codegen/cpu/Level.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/IR/IRBuilder.h"

namespace sparsec::cpu {

/// One row's share of a panel: a vector for each register's worth of lanes.
using LaneVectors = llvm::SmallVector<llvm::Value *, 4>;

class Code : public llvm::IRBuilder<> {
public:
  Code(llvm::LLVMContext &context, const Level &level) : IRBuilder(context), level(level) {}

  const Level level;

  llvm::Value *i64(int64_t value) { return getInt64(value); }
  llvm::Value *wide(llvm::Value *i32) { return CreateSExt(i32, getInt64Ty()); }
  /// A constant that the innermost loop keeps in a register. LLVM would load it again in every
  /// turn, because that is always possible: 8 of 44 instructions in a turn of exponentials.
  llvm::Value *held(llvm::Value *constant);
  /// The integer itself, of which LLVM does not know what it is.
  llvm::Value *unknown(llvm::Value *integer);
  /// The scalar in as many lanes as `shape` has; itself where that is a scalar.
  llvm::Value *repeat(llvm::Value *scalar, llvm::Value *shape);
  /// pointer + bytes
  llvm::Value *at(llvm::Value *pointer, llvm::Value *bytes);
  llvm::Value *at(llvm::Value *pointer, int64_t bytes) { return at(pointer, i64(bytes)); }
  llvm::Value *loadAs(llvm::Type *type, llvm::Value *pointer, int align = 4);
  void storeTo(llvm::Value *value, llvm::Value *pointer, int align = 4);
  /// Asks memory for a cache line, to be read: into the first-level cache, or the second-level one.
  void askFor(llvm::Value *pointer, bool firstLevel = true);

  using Values = llvm::SmallVector<llvm::Value *>;
  using Body =
      llvm::function_ref<Values(llvm::Value *index, llvm::ArrayRef<llvm::Value *> carried)>;
  /// for (index = low; index < high; index += step), in 64 bits.
  Values loop(llvm::Value *low, llvm::Value *high, int64_t step, llvm::ArrayRef<llvm::Value *> init,
              Body body);
  void loop(llvm::Value *low, llvm::Value *high, int64_t step,
            llvm::function_ref<void(llvm::Value *index)> body);
  /// How many numbers from 0 on have the property, up to the first that has not, or `most`.
  llvm::Value *countWhile(llvm::Value *most,
                          llvm::function_ref<llvm::Value *(llvm::Value *index)> property);
  void branch(llvm::Value *condition, llvm::function_ref<void()> body,
              llvm::function_ref<void()> otherwise = nullptr);
  /// What the body that runs returns; both return as many.
  Values choose(llvm::Value *condition, llvm::function_ref<Values()> body,
                llvm::function_ref<Values()> otherwise);

  // Scalar integers by the names of common/ScalarBuilder.h.
  using Scalar = llvm::Value *;
  Scalar i32(int64_t value) { return getInt32(uint32_t(value)); }
  Scalar add(Scalar a, Scalar b) { return CreateAdd(a, b); }
  Scalar add(Scalar a, int64_t b) { return CreateAdd(a, like(a, b)); }
  Scalar subtract(Scalar a, Scalar b) { return CreateSub(a, b); }
  Scalar multiply(Scalar a, Scalar b) { return CreateMul(a, b); }
  Scalar multiply(Scalar a, int64_t b) { return CreateMul(a, like(a, b)); }
  Scalar shiftLeft(Scalar a, int bits) { return CreateShl(a, like(a, bits)); }
  Scalar bitAnd(Scalar a, Scalar b) { return CreateAnd(a, b); }
  Scalar bitAnd(Scalar a, int64_t b) { return CreateAnd(a, like(a, b)); }
  Scalar bitOr(Scalar a, int64_t b) { return CreateOr(a, like(a, b)); }
  Scalar least(Scalar a, Scalar b) { return select(less(a, b), a, b); }
  Scalar most(Scalar a, Scalar b) { return select(CreateICmpSGT(a, b), a, b); }
  Scalar equal(Scalar a, int64_t b) { return CreateICmpEQ(a, like(a, b)); }
  Scalar less(Scalar a, Scalar b) { return CreateICmpSLT(a, b); }
  Scalar atLeast(Scalar a, Scalar b) { return CreateICmpSGE(a, b); }
  Scalar greater(Scalar a, int64_t b) { return CreateICmpSGT(a, like(a, b)); }
  Scalar below(Scalar a, Scalar b) { return CreateICmpULT(a, b); }
  Scalar isNull(Scalar pointer) { return CreateIsNull(pointer); }
  Scalar select(Scalar condition, Scalar a, Scalar b) { return CreateSelect(condition, a, b); }
  Scalar advance(Scalar pointer, Scalar bytes) { return at(pointer, bytes); }
  Scalar advance(Scalar pointer, int64_t bytes) { return at(pointer, bytes); }
  /// Nothing is held in a register on purpose: LLVM decides.
  Scalar number(Scalar pointer, int64_t index, bool = true) {
    return loadAs(getInt32Ty(), at(pointer, 4 * index));
  }
  std::pair<Scalar, Scalar> divideBy(Scalar x, Scalar pointer, int64_t index, bool = true);

  llvm::Type *vectorOf(llvm::Type *element, int size) {
    return llvm::FixedVectorType::get(element, size);
  }
  /// 0, 1, 2, ... as i32.
  llvm::Value *iota(int size);
  /// rows[i][j] becomes result[j][i]; as many rows as each has elements, a power of two.
  LaneVectors transpose(llvm::ArrayRef<llvm::Value *> rows);
  /// a b + c, rounded once where the level can.
  llvm::Value *multiplyAdd(llvm::Value *a, llvm::Value *b, llvm::Value *c);
  llvm::Value *larger(llvm::Value *a, llvm::Value *b); ///< b where either is NaN

  // Math on f32 vectors or scalars; their error bounds stand in Math.cpp.
  llvm::Value *exp2(llvm::Value *x);
  /// 2^(a - b) of a <= b or NaN, lane by lane; all parts of a row at once.
  LaneVectors exp2OfDecay(llvm::ArrayRef<llvm::Value *> a, llvm::ArrayRef<llvm::Value *> b);
  llvm::Value *exp(llvm::Value *x);
  llvm::Value *log(llvm::Value *x);
  /// Nearest bf16 or f16, ties to even, as an f32 of the same value.
  llvm::Value *roundToBf16(llvm::Value *x);
  llvm::Value *roundToF16(llvm::Value *x);
  /// Between f32 and the 16 bits of a float that memory holds; `x` has such a value already.
  llvm::Value *bf16Bits(llvm::Value *x);
  llvm::Value *f16Bits(llvm::Value *x);
  llvm::Value *fromBf16(llvm::Value *bits);
  llvm::Value *fromF16(llvm::Value *bits);

  // Pairs of bf16 in the halves of an i32, the first one low.
  /// sum + a.low b.low + a.high b.high, in f32 lanes.
  llvm::Value *multiplyPairs(llvm::Value *a, llvm::Value *b, llvm::Value *sum);
  /// Rounds two f32 vectors to bf16 and pairs them lane by lane.
  llvm::Value *packPairs(llvm::Value *low, llvm::Value *high);

  // Tile registers (TileRegisters.cpp): eight of 16 rows of 64 bytes. Strides in bytes.
  void beginTiles(llvm::Module &module); ///< before the first one is used by a function
  void endTiles();
  void zeroTile(int tile);
  void loadTile(int tile, llvm::Value *pointer, int64_t stride);
  void storeTile(int tile, llvm::Value *pointer, int64_t stride);
  /// sum += a b, of pairs of bf16
  void multiplyTiles(int sum, int a, int b);

private:
  llvm::BasicBlock *beforeLoop = nullptr; ///< the innermost one
  llvm::Value *emulatedRow(int tile, llvm::Value *row);
  void copyRows(llvm::Value *from, int64_t fromStride, llvm::Value *to, int64_t toStride);
  llvm::Value *emulatedTiles = nullptr;
  llvm::Type *like(llvm::Value *shape, llvm::Type *element);
  static llvm::Value *like(llvm::Value *integer, int64_t value) {
    return llvm::ConstantInt::getSigned(integer->getType(), value);
  }
  llvm::Value *splat(llvm::Value *shape, float value);
  llvm::Value *splatInt(llvm::Value *shape, uint32_t value);
  llvm::Value *asInt(llvm::Value *x);
  llvm::Value *asFloat(llvm::Value *x);
  llvm::Value *powerOfTwo(llvm::Value *n);
  llvm::Value *exp2OfAvx512(llvm::Value *x, llvm::ArrayRef<float> power);
  llvm::Value *scaledPower(llvm::Value *whole, llvm::Value *fraction);
  bool hasAvx512(llvm::Value *x);
  llvm::Value *polynomial(llvm::Value *x, llvm::ArrayRef<float> coefficients);
};

static_assert(ScalarBuilder<Code>);

} // namespace sparsec::cpu
