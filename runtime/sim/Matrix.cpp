// mma.sync, ldmatrix, stmatrix, movmatrix.
//
// mma sums in f32: products of f16, bf16 and tf32 are exact there, each addition rounds to nearest,
// k by k starting from C. Tensor cores keep a few more or fewer bits and another order; results are
// compared with a tolerance.
#include "runtime/sim/Access.h"
#include "runtime/sim/Decode.h"
#include "runtime/sim/Lanes.h"
#include "runtime/sim/MatrixLayout.h"
#include "runtime/sim/Numerics.h"
#include "runtime/sim/ProgramDecoder.h"

#include <fmt/core.h>

#include <algorithm>

namespace sparsec::sim {

namespace {

#define SPARSEC_INLINE inline __attribute__((always_inline))

// What makes fragments quick to read. A register of A holds, lane by lane, a tile of 8 rows in row
// order; one of B a tile of 8 columns in column order; two of C or D, taken in turns, 8 rows. The
// tables of the ISA say so:
constexpr int tileWidth(MmaShape shape) {
  return shape == MmaShape::K8Tf32 || shape == MmaShape::K4Tf32 ? 4 : 8;
}
constexpr bool tilesInOrder(MmaShape shape) {
  int width = tileWidth(shape), each = width / 4;
  for (int lane = 0; lane < 32; ++lane) {
    int line = lane * each / width, at = lane * each % width;
    for (int i = 0; i < elementsOfA(shape); ++i) {
      Position first = positionInA(shape, 0, i / each * each), p = positionInA(shape, lane, i);
      if (p != Position{first.row + line, first.column + at + i % each})
        return false;
    }
    for (int i = 0; i < elementsOfB(shape); ++i) {
      Position first = positionInB(shape, 0, i / each * each), p = positionInB(shape, lane, i);
      if (p != Position{first.row + at + i % each, first.column + line})
        return false;
    }
    for (int i = 0; i < 4; ++i)
      if (positionInC(lane, i) != Position{i / 2 * 8 + lane / 4, lane % 4 * 2 + i % 2})
        return false;
  }
  return true;
}
static_assert(tilesInOrder(MmaShape::K16) && tilesInOrder(MmaShape::K8) &&
              tilesInOrder(MmaShape::K8Tf32) && tilesInOrder(MmaShape::K4Tf32));

bool wholeWarpHere(Warp &w, const Inst &in) {
  if (w.mask == ~0u)
    return true;
  w.block->fail(w, in, std::countr_one(w.mask),
                fmt::format("executed by {} of 32 lanes: not by this one", std::popcount(w.mask)));
  return false;
}

typedef float Floats __attribute__((vector_size(32)));
typedef uint32_t Words __attribute__((vector_size(32)));
typedef uint16_t Halves __attribute__((vector_size(16)));

// Eight elements at once; where Storage is 16 bits wide, from a vector of them.
struct HalfElement {
  using Storage = uint16_t;
  SPARSEC_INLINE static void widen(Halves bits, float *to) {
    for (int i = 0; i < 8; ++i)
      to[i] = fromHalf(bits[i]);
  }
};
struct BfloatElement {
  using Storage = uint16_t;
  SPARSEC_INLINE static void widen(Halves bits, float *to) {
    Words words = __builtin_convertvector(bits, Words) << 16;
    std::memcpy(to, &words, sizeof words);
  }
};
struct Tf32Element {
  using Storage = uint32_t;
  // The low 13 bits are not looked at.
  static float load(uint32_t bits) { return bitsToFloat(bits & 0xffffe000); }
};

SPARSEC_INLINE Halves halvesAt(const void *from) {
  Halves loaded;
  std::memcpy(&loaded, from, sizeof loaded);
  return loaded;
}

/// Rows become columns: neighbours interleave, three times.
SPARSEC_INLINE void transpose(Halves (&rows)[8]) {
  for (int step = 0; step < 3; ++step) {
    Halves next[8];
    for (int i = 0; i < 4; ++i) {
      next[2 * i] = __builtin_shufflevector(rows[i], rows[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
      next[2 * i + 1] = __builtin_shufflevector(rows[i], rows[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    std::copy(next, next + 8, rows);
  }
}

/// The registers of one mma. flags 1: C is f16, 2: D is f16.
struct MmaRegisters {
  const void *a[4], *b[2];
  const uint32_t *c[4];
  uint32_t *d[4];
  uint8_t flags;
  bool swapsRowsOfB, swapsHalvesOfD; ///< injected faults
};

template <class Element, MmaShape Shape>
SPARSEC_INLINE void loadFragments(const MmaRegisters &registers, float (*a)[depthOf(Shape)],
                                  float (*b)[8]) {
  using Storage = typename Element::Storage;
  constexpr int width = tileWidth(Shape), each = width / 4;
  for (int i = 0; i < elementsOfA(Shape); i += each) {
    Position first = positionInA(Shape, 0, i);
    const Storage *from = static_cast<const Storage *>(registers.a[i / each]);
    for (int row = 0; row < 8; ++row)
      if constexpr (width == 8)
        Element::widen(halvesAt(from + row * 8), a[first.row + row] + first.column);
      else
        for (int k = 0; k < width; ++k)
          a[first.row + row][first.column + k] = Element::load(from[row * width + k]);
  }
  for (int i = 0; i < elementsOfB(Shape); i += each) {
    Position first = positionInB(Shape, 0, i);
    const Storage *from = static_cast<const Storage *>(registers.b[i / each]);
    if constexpr (width == 8) {
      Halves tile[8];
      for (int n = 0; n < 8; ++n)
        tile[n] = halvesAt(from + n * 8);
      transpose(tile);
      for (int k = 0; k < 8; ++k)
        Element::widen(tile[k], b[first.row + k]);
    } else {
      for (int n = 0; n < 8; ++n)
        for (int k = 0; k < width; ++k)
          b[first.row + k][n] = Element::load(from[n * width + k]);
    }
  }
}

SPARSEC_INLINE void loadSums(const MmaRegisters &registers, float (*sum)[64]) {
  for (int half = 0; half < 2; ++half) {
    if (registers.flags & 1) {
      for (int lane = 0; lane < 32; ++lane) {
        sum[half][2 * lane] = fromHalf(uint16_t(registers.c[half][lane]));
        sum[half][2 * lane + 1] = fromHalf(uint16_t(registers.c[half][lane] >> 16));
      }
      continue;
    }
    const uint32_t *even = registers.c[2 * half], *odd = registers.c[2 * half + 1];
    for (int lane = 0; lane < 32; ++lane) {
      sum[half][2 * lane] = bitsToFloat(even[lane]);
      sum[half][2 * lane + 1] = bitsToFloat(odd[lane]);
    }
  }
}

SPARSEC_INLINE void storeSums(const MmaRegisters &registers, const float (*sum)[64]) {
  for (int half = 0; half < 2; ++half) {
    const float *from = sum[half ^ int(registers.swapsHalvesOfD)];
    if (registers.flags & 2) {
      for (int lane = 0; lane < 32; ++lane)
        registers.d[half][lane] = toHalf(from[2 * lane]) | uint32_t(toHalf(from[2 * lane + 1]))
                                                               << 16;
      continue;
    }
    uint32_t even[32], odd[32];
    for (int lane = 0; lane < 32; ++lane) {
      even[lane] = floatToBits(canonical(from[2 * lane]));
      odd[lane] = floatToBits(canonical(from[2 * lane + 1]));
    }
    std::memcpy(registers.d[2 * half], even, sizeof(even));
    std::memcpy(registers.d[2 * half + 1], odd, sizeof(odd));
  }
}

/// D = A B + C, k by k.
template <class Element, MmaShape Shape>
SPARSEC_INLINE void multiplyBody(const MmaRegisters &registers) {
  constexpr int depth = depthOf(Shape);
  alignas(64) float a[16][depth], b[depth][8], sums[2][64];
  loadFragments<Element, Shape>(registers, a, b);
  if (registers.swapsRowsOfB)
    for (int k = 0; k < depth; k += 2)
      std::swap_ranges(b[k], b[k] + 8, b[k + 1]);
  loadSums(registers, sums);
  const Floats *rows = reinterpret_cast<const Floats *>(b);
  Floats *sum = reinterpret_cast<Floats *>(sums);
  for (int row = 0; row < 16; row += 4) {
    Floats four[4] = {sum[row], sum[row + 1], sum[row + 2], sum[row + 3]};
    for (int k = 0; k < depth; ++k)
      for (int r = 0; r < 4; ++r)
        four[r] += a[row + r][k] * rows[k];
    for (int r = 0; r < 4; ++r)
      sum[row + r] = four[r];
  }
  storeSums(registers, sums);
}

using Multiply = void (*)(const MmaRegisters &);
template <class Element, MmaShape Shape>
void multiplyPlain(const MmaRegisters &registers) {
  multiplyBody<Element, Shape>(registers);
}
#if defined(__x86_64__)
template <class Element, MmaShape Shape>
__attribute__((target("avx2"))) void multiplyFast(const MmaRegisters &registers) {
  multiplyBody<Element, Shape>(registers);
}
template <class Element, MmaShape Shape>
Multiply multiplyFor() {
  return __builtin_cpu_supports("avx2") ? multiplyFast<Element, Shape>
                                        : multiplyPlain<Element, Shape>;
}
#else
template <class Element, MmaShape Shape>
Multiply multiplyFor() {
  return multiplyPlain<Element, Shape>;
}
#endif

// Extra columns: D, A, B, C. flags: as of MmaRegisters.
template <class Element, MmaShape Shape>
void mma(Warp &w, const Inst &in) {
  if (!wholeWarpHere(w, in))
    return;
  static const Multiply multiply = multiplyFor<Element, Shape>();
  constexpr int each = tileWidth(Shape) / 4;
  const int32_t *columns = w.operands + in.extra;
  MmaRegisters registers;
  registers.flags = in.flags;
  registers.swapsRowsOfB = w.block->hasFault(SimFault::WrongMmaOperandMap);
  registers.swapsHalvesOfD = w.block->hasFault(SimFault::WrongMmaLaneMap);
  for (int i = 0; i < (in.flags & 2 ? 2 : 4); ++i)
    registers.d[i] = w.out<uint32_t>(*columns++);
  for (int i = 0; i < elementsOfA(Shape) / each; ++i)
    registers.a[i] = w.in<uint32_t>(*columns++);
  for (int i = 0; i < elementsOfB(Shape) / each; ++i)
    registers.b[i] = w.in<uint32_t>(*columns++);
  for (int i = 0; i < (in.flags & 1 ? 2 : 4); ++i)
    registers.c[i] = w.in<uint32_t>(*columns++);
  multiply(registers);
}

// Extra columns: the registers, a matrix each. imm: offset; flags: 1 narrow address, 2 .trans.
bool rowsOf(Warp &w, const Inst &in, bool writes, uint8_t **rows) {
  if (!wholeWarpHere(w, in))
    return false;
  computeAddresses(w, in);
  Access access{Space::Shared, 16, !writes, writes, false, false, false};
  // A generic address of shared memory will do as well.
  int count = in.count * 8;
  for (int i = 0; i < count; ++i)
    if (w.address[i] - sharedWindow < windowSize)
      w.address[i] -= sharedWindow;
  // What a row holds comes from (and goes to) several lanes: an access of the warp.
  if (!checkSharedRows(w, in, count, access))
    return false;
  for (int i = 0; i < count; ++i)
    rows[i] = w.block->shared.data() + w.address[i];
  uint64_t bytes = 128 * in.count;
  SimReport &report = *w.block->launch.report;
  (writes ? report.sharedStoreBytes : report.sharedLoadBytes) += bytes;
  return true;
}

void loadMatrix(Warp &w, const Inst &in) {
  uint8_t *rows[32];
  if (!rowsOf(w, in, false, rows))
    return;
  bool transposed = (in.flags & 2) && !w.block->hasFault(SimFault::WrongLdmatrixTrans);
  bool swaps = w.block->hasFault(SimFault::WrongLdmatrixMap) && in.count == 4;
  for (int m = 0; m < in.count; ++m) {
    uint32_t *out = w.out<uint32_t>(w.operands[in.extra + m]);
    uint8_t **matrix = rows + 8 * (swaps && (m == 1 || m == 2) ? 3 - m : m);
    for (int lane = 0; lane < 32 && !transposed; ++lane) {
      // Both elements side by side: one copy.
      Position p = positionInTile(false, lane, 0);
      std::memcpy(&out[lane], matrix[p.row] + 2 * p.column, 4);
    }
    for (int lane = 0; lane < 32 && transposed; ++lane) {
      uint16_t parts[2];
      for (int i = 0; i < 2; ++i) {
        Position p = positionInTile(transposed, lane, i);
        std::memcpy(&parts[i], matrix[p.row] + 2 * p.column, 2);
      }
      out[lane] = parts[0] | uint32_t(parts[1]) << 16;
    }
  }
}

void storeMatrix(Warp &w, const Inst &in) {
  uint8_t *rows[32];
  if (!rowsOf(w, in, true, rows))
    return;
  for (int m = 0; m < in.count; ++m) {
    const uint32_t *from = w.in<uint32_t>(w.operands[in.extra + m]);
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < 2; ++i) {
        Position p = positionInTile(in.flags & 2, lane, i);
        uint16_t part = uint16_t(from[lane] >> 16 * i);
        std::memcpy(rows[8 * m + p.row] + 2 * p.column, &part, 2);
      }
  }
}

/// movmatrix.trans: an 8x8 matrix in registers, transposed.
void moveMatrix(Warp &w, const Inst &in) {
  if (!wholeWarpHere(w, in))
    return;
  uint16_t tile[8][8];
  const uint32_t *a = w.in<uint32_t>(in.a);
  uint32_t out[32];
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 2; ++i) {
      Position p = positionInTile(false, lane, i);
      tile[p.row][p.column] = uint16_t(a[lane] >> 16 * i);
    }
  for (int lane = 0; lane < 32; ++lane) {
    Position low = positionInTile(true, lane, 0), high = positionInTile(true, lane, 1);
    out[lane] = tile[low.row][low.column] | uint32_t(tile[high.row][high.column]) << 16;
  }
  put(w, in.dst, out);
}

void decodeMma(InstructionDecoder &d) {
  d.expect(d.take("sync") && d.take("aligned"), "expected .sync.aligned");
  int shape = d.takeOneOf({"m16n8k16", "m16n8k8", "m16n8k4"});
  d.expect(shape >= 0, "sim knows the shapes m16n8k16, m16n8k8 and m16n8k4");
  d.expect(d.take("row") && d.take("col"), "expected .row.col");
  Type result = d.takeType(), typeA = d.takeType(), typeB = d.takeType(), sum = d.takeType();
  d.expect(typeA == typeB, "expected A and B of one type");
  auto isSum = [](Type t) { return t == Type::F32 || t == Type::F16; };
  d.expect(isSum(result) && isSum(sum) &&
               (typeA == Type::F16 || (result == Type::F32 && sum == Type::F32)),
           "expected accumulators of .f32, or of .f16 for .f16 products");
  if (typeA == Type::F16)
    d.run(shape == 0   ? mma<HalfElement, MmaShape::K16>
          : shape == 1 ? mma<HalfElement, MmaShape::K8>
                       : Handler(nullptr));
  if (typeA == Type::BF16)
    d.run(shape == 0   ? mma<BfloatElement, MmaShape::K16>
          : shape == 1 ? mma<BfloatElement, MmaShape::K8>
                       : Handler(nullptr));
  if (typeA == Type::TF32)
    d.run(shape == 1   ? mma<Tf32Element, MmaShape::K8Tf32>
          : shape == 2 ? mma<Tf32Element, MmaShape::K4Tf32>
                       : Handler(nullptr));
  d.inst().flags = (sum == Type::F16 ? 1 : 0) | (result == Type::F16 ? 2 : 0);
  int depth = shape == 0 ? 16 : shape == 1 ? 8 : 4, pack = typeA == Type::TF32 ? 1 : 2;
  size_t counts[] = {size_t(result == Type::F16 ? 2 : 4), size_t(depth / 2 / pack),
                     size_t(depth / 4 / pack), size_t(sum == Type::F16 ? 2 : 4)};
  for (int i = 0; i < 4; ++i) {
    std::vector<const Operand *> elements = d.elements(d.operand(i));
    d.expect(elements.size() == counts[i], fmt::format("expected {} registers for {}", counts[i],
                                                       std::string_view("DABC").substr(i, 1)));
    for (const Operand *element : elements)
      d.extra(i == 0 ? d.def(*element, Type::B32) : d.use(*element, Type::B32));
  }
  d.finish(4);
}

void decodeTiles(InstructionDecoder &d, bool loads) {
  d.expect(d.take("sync") && d.take("aligned"), "expected .sync.aligned");
  d.expect(d.take("m8n8"), "sim knows the shape m8n8");
  int matrices = d.takeOneOf({"x1", "x2", "x4"});
  bool transposed = d.take("trans");
  d.takeOneOf({"shared", "shared::cta"});
  Type type = d.takeType();
  d.expect(type == Type::B16 && matrices >= 0, "expected .x1, .x2 or .x4 and .b16");
  Space space = Space::Shared;
  bool narrow = d.address(d.operand(loads ? 1 : 0), space);
  d.inst().flags = narrow | transposed << 1;
  std::vector<const Operand *> elements = d.elements(d.operand(loads ? 0 : 1));
  d.expect(int(elements.size()) == 1 << std::max(matrices, 0),
           "expected a register for each matrix");
  for (const Operand *element : elements)
    d.extra(loads ? d.def(*element, Type::B32) : d.use(*element, Type::B32));
  d.run(loads ? loadMatrix : storeMatrix);
  d.finish(2);
}

} // namespace

void decodeMatrix(InstructionDecoder &d) {
  std::string_view opcode = d.opcode();
  if (opcode == "mma")
    return decodeMma(d);
  if (opcode == "movmatrix") {
    d.expect(d.take("sync") && d.take("aligned") && d.take("m8n8") && d.take("trans"),
             "expected .sync.aligned.m8n8.trans");
    Type type = d.takeType();
    d.expect(type == Type::B16, "expected .b16");
    d.dst(0, Type::B32), d.a(1, Type::B32);
    d.run(moveMatrix);
    return d.finish(2);
  }
  decodeTiles(d, opcode == "ldmatrix");
}

} // namespace sparsec::sim
