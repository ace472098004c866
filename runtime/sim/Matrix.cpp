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

namespace sparsec::sim {

namespace {

/// Lane and element to a place in a row-major array.
template <int Elements>
struct Map {
  uint8_t at[Elements][32];
};
template <MmaShape Shape>
constexpr Map<elementsOfA(Shape)> mapOfA() {
  Map<elementsOfA(Shape)> map = {};
  for (int i = 0; i < elementsOfA(Shape); ++i)
    for (int lane = 0; lane < 32; ++lane) {
      Position p = positionInA(Shape, lane, i);
      map.at[i][lane] = p.row * depthOf(Shape) + p.column;
    }
  return map;
}
template <MmaShape Shape>
constexpr Map<elementsOfB(Shape)> mapOfB() {
  Map<elementsOfB(Shape)> map = {};
  for (int i = 0; i < elementsOfB(Shape); ++i)
    for (int lane = 0; lane < 32; ++lane) {
      Position p = positionInB(Shape, lane, i);
      map.at[i][lane] = p.row * 8 + p.column;
    }
  return map;
}
constexpr Map<4> mapOfC() {
  Map<4> map = {};
  for (int i = 0; i < 4; ++i)
    for (int lane = 0; lane < 32; ++lane) {
      Position p = positionInC(lane, i);
      map.at[i][lane] = p.row * 8 + p.column;
    }
  return map;
}

bool wholeWarpHere(Warp &w, const Inst &in) {
  if (w.mask == ~0u)
    return true;
  w.block->fail(w, in, std::countr_one(w.mask),
                fmt::format("executed by {} of 32 lanes: not by this one", std::popcount(w.mask)));
  return false;
}

/// acc[16][8] += a[16][K] b[K][8]
template <int K>
inline __attribute__((always_inline)) void multiplyBody(const float *a, const float *b,
                                                        float *acc) {
  for (int row = 0; row < 16; ++row) {
    float sum[8];
    std::memcpy(sum, acc + row * 8, sizeof(sum));
    for (int k = 0; k < K; ++k)
      for (int n = 0; n < 8; ++n)
        sum[n] += a[row * K + k] * b[k * 8 + n];
    std::memcpy(acc + row * 8, sum, sizeof(sum));
  }
}
using Multiply = void (*)(const float *, const float *, float *);
template <int K>
void multiplyPlain(const float *a, const float *b, float *acc) {
  multiplyBody<K>(a, b, acc);
}
#if defined(__x86_64__)
template <int K>
__attribute__((target("avx2"))) void multiplyFast(const float *a, const float *b, float *acc) {
  typedef float Row __attribute__((vector_size(32), aligned(4)));
  for (int row = 0; row < 16; row += 4) {
    Row sum[4];
    for (int r = 0; r < 4; ++r)
      sum[r] = *reinterpret_cast<const Row *>(acc + (row + r) * 8);
    for (int k = 0; k < K; ++k) {
      Row column = *reinterpret_cast<const Row *>(b + k * 8);
      for (int r = 0; r < 4; ++r)
        sum[r] += a[(row + r) * K + k] * column;
    }
    for (int r = 0; r < 4; ++r)
      *reinterpret_cast<Row *>(acc + (row + r) * 8) = sum[r];
  }
}
template <int K>
Multiply multiplyFor() {
  return __builtin_cpu_supports("avx2") ? multiplyFast<K> : multiplyPlain<K>;
}
#else
template <int K>
Multiply multiplyFor() {
  return multiplyPlain<K>;
}
#endif

struct HalfElement {
  static constexpr int perRegister = 2;
  static float load(uint32_t bits, int i) { return fromHalf(uint16_t(bits >> 16 * i)); }
};
struct BfloatElement {
  static constexpr int perRegister = 2;
  static float load(uint32_t bits, int i) {
    return bitsToFloat(i ? bits & 0xffff0000 : bits << 16);
  }
};
struct Tf32Element {
  static constexpr int perRegister = 1;
  // The low 13 bits are not looked at.
  static float load(uint32_t bits, int) { return bitsToFloat(bits & 0xffffe000); }
};

template <class Element, int Count>
void gatherFragment(Warp &w, const int32_t *columns, const Map<Count> &map, float *to) {
  for (int i = 0; i < Count; i += Element::perRegister) {
    const uint32_t *from = w.in<uint32_t>(columns[i / Element::perRegister]);
    for (int part = 0; part < Element::perRegister; ++part) {
      float values[32];
      for (int lane = 0; lane < 32; ++lane)
        values[lane] = Element::load(from[lane], part);
      for (int lane = 0; lane < 32; ++lane)
        to[map.at[i + part][lane]] = values[lane];
    }
  }
}

// Extra columns: D, A, B, C. flags 1: C is f16, 2: D is f16.
template <class Element, MmaShape Shape>
void mma(Warp &w, const Inst &in) {
  if (!wholeWarpHere(w, in))
    return;
  static constexpr auto mapA = mapOfA<Shape>();
  static constexpr auto mapB = mapOfB<Shape>();
  static constexpr auto mapC = mapOfC();
  static const Multiply multiply = multiplyFor<depthOf(Shape)>();
  const int32_t *columns = w.operands + in.extra;
  bool halfC = in.flags & 1, halfD = in.flags & 2;
  const int32_t *to = columns, *a = to + (halfD ? 2 : 4);
  const int32_t *b = a + elementsOfA(Shape) / Element::perRegister;
  const int32_t *c = b + elementsOfB(Shape) / Element::perRegister;
  alignas(64) float matrixA[16 * 16], matrixB[16 * 8], sum[16 * 8];
  gatherFragment<Element>(w, a, mapA, matrixA);
  if (w.block->hasFault(SimFault::WrongMmaOperandMap)) {
    auto wrong = mapB;
    for (auto &lanes : wrong.at)
      for (uint8_t &at : lanes)
        at ^= 8; // neighbouring rows of B swapped
    gatherFragment<Element>(w, b, wrong, matrixB);
  } else {
    gatherFragment<Element>(w, b, mapB, matrixB);
  }
  if (halfC)
    gatherFragment<HalfElement>(w, c, mapC, sum);
  else
    for (int i = 0; i < 4; ++i)
      for (int lane = 0; lane < 32; ++lane)
        sum[mapC.at[i][lane]] = w.in<float>(c[i])[lane];
  multiply(matrixA, matrixB, sum);
  int flip = w.block->hasFault(SimFault::WrongMmaLaneMap) ? 2 : 0;
  for (int i = 0; i < 4; i += 1 + halfD) {
    uint32_t *out = w.out<uint32_t>(to[halfD ? i / 2 : i]);
    for (int lane = 0; lane < 32; ++lane) {
      float first = canonical(sum[mapC.at[i ^ flip][lane]]);
      out[lane] = halfD ? toHalf(first) | uint32_t(toHalf(sum[mapC.at[(i + 1) ^ flip][lane]])) << 16
                        : floatToBits(first);
    }
  }
}

// Extra columns: the registers, a matrix each. imm: offset; flags: 1 narrow address, 2 .trans.
bool rowsOf(Warp &w, const Inst &in, bool writes, uint8_t **rows) {
  if (!wholeWarpHere(w, in))
    return false;
  computeAddresses(w, in);
  Access access{Space::Shared, 16, !writes, writes, false, false, false};
  // A generic address of shared memory will do as well.
  for (int i = 0; i < in.count * 8; ++i) {
    uint64_t address = w.address[i];
    if (address - sharedWindow < windowSize)
      address -= sharedWindow;
    uint32_t low = address > UINT32_MAX ? UINT32_MAX : uint32_t(address);
    // What a row holds comes from (and goes to) several lanes: an access of the warp.
    if (!checkShared(w, in, wholeWarp, low, access, i))
      return false;
    rows[i] = w.block->shared.data() + low;
  }
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
