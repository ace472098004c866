// What a back end offers so that lowering which is scalar arithmetic is written once, as templates
// over it: which row a work item has, where a tile's rows are, which blocks are live.
//
//   template <ScalarBuilder Builder>
//   typename Builder::Scalar next(Builder &emit, typename Builder::Scalar x) {
//     return emit.add(emit.multiply(x, 3), 1);
//   }
//
// ThreadEmitter (codegen/ptx/Lowering.h) makes operations of the llvm dialect of it, cpu::Code
// (codegen/cpu/emit/Code.h) LLVM IR. A Scalar is an integer, of 32 bits unless said otherwise, a
// truth or a pointer; one that was not set is false. Operations stand in the kernel in the order of
// the calls. What runs only under a condition, and loops, are a back end's own.
#pragma once

#include <concepts>
#include <cstdint>
#include <utility>

namespace sparsec {

template <class Result, class Builder>
concept ScalarOf = std::convertible_to<Result, typename Builder::Scalar>;

template <class Builder>
concept ScalarBuilder = std::default_initializable<typename Builder::Scalar> &&
    std::constructible_from<bool, typename Builder::Scalar> &&
    requires(Builder emit, typename Builder::Scalar x, int64_t c, int bits, bool fixed) {
  { emit.i32(c) } -> ScalarOf<Builder>;
  { emit.i64(c) } -> ScalarOf<Builder>;
  { emit.wide(x) } -> ScalarOf<Builder>; // to 64 bits, with its sign

  { emit.add(x, x) } -> ScalarOf<Builder>;
  { emit.add(x, c) } -> ScalarOf<Builder>;
  { emit.subtract(x, x) } -> ScalarOf<Builder>;
  { emit.multiply(x, x) } -> ScalarOf<Builder>;
  { emit.multiply(x, c) } -> ScalarOf<Builder>;
  { emit.shiftLeft(x, bits) } -> ScalarOf<Builder>;
  { emit.bitAnd(x, x) } -> ScalarOf<Builder>; // of truths too
  { emit.bitAnd(x, c) } -> ScalarOf<Builder>;
  { emit.bitOr(x, c) } -> ScalarOf<Builder>;
  { emit.least(x, x) } -> ScalarOf<Builder>; // signed
  { emit.most(x, x) } -> ScalarOf<Builder>;

  { emit.equal(x, c) } -> ScalarOf<Builder>;
  { emit.less(x, x) } -> ScalarOf<Builder>; // signed, as the next two
  { emit.atLeast(x, x) } -> ScalarOf<Builder>;
  { emit.greater(x, c) } -> ScalarOf<Builder>;
  { emit.below(x, x) } -> ScalarOf<Builder>; // unsigned
  { emit.select(x, x, x) } -> ScalarOf<Builder>;

  // pointer + bytes
  { emit.advance(x, x) } -> ScalarOf<Builder>;
  { emit.advance(x, c) } -> ScalarOf<Builder>;
  // Integer c at a pointer, which no kernel writes while this one runs. Fixed: it may be kept in a
  // register for as long as it is needed; else it is read where it is needed.
  { emit.number(x, c, fixed) } -> ScalarOf<Builder>;
  // Quotient and rest by the divisor (layout/Divisor.h) that begins at integer c.
  { emit.divideBy(x, x, c, fixed).first } -> ScalarOf<Builder>;
  { emit.divideBy(x, x, c, fixed).second } -> ScalarOf<Builder>;
};

} // namespace sparsec
