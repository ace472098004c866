// What a call is refused for, with the exact words.
#include "runtime/Attention.h"

#include <gtest/gtest.h>

namespace sparsec {
namespace {

AttentionRequest requestOf(DType dtype) {
  return {.entry = "k", .dtype = dtype, .headDim = 64, .valueDim = 32, .block = {64, 64}};
}

struct Asked : AttentionCall {
  AttentionShape shape;
  Heads heads;
};

/// 2 batches, 4 heads over 2 kv heads, 10 query rows, 20 keys; dense BHSD, bf16.
Asked goodCall() {
  Asked asked;
  asked.shape = {.batch = 2, .heads = 4, .kvHeads = 2, .nq = 10, .n = 20, .q0 = 10};
  asked.heads = {.first = 0, .step = 1, .count = 4};
  asked.q = {0x1000, 2 * 4 * 10 * 64 * 2, {4 * 10 * 64, 10 * 64, 64}};
  asked.k = {0x20000, 2 * 2 * 20 * 64 * 2, {2 * 20 * 64, 20 * 64, 64}};
  asked.v = {0x40000, 2 * 2 * 20 * 32 * 2, {2 * 20 * 32, 20 * 32, 32}};
  asked.out = {0x60000, 2 * 4 * 10 * 32 * 2, {4 * 10 * 32, 10 * 32, 32}};
  asked.lse = {0x80000, 2 * 4 * 10 * 4, {4 * 10, 10, 0}};
  return asked;
}

std::string refusal(const Asked &call, DType dtype = DType::BF16) {
  Result<void> checked = checkShape(call.shape, call.heads);
  if (checked)
    checked = checkCall(requestOf(dtype), call.shape, call);
  if (checked)
    return "";
  EXPECT_EQ(checked.error().kind, ErrorKind::Input);
  return checked.error().message;
}

template <class Change>
std::string refusalAfter(Change change) {
  Asked call = goodCall();
  change(call);
  return refusal(call);
}

TEST(AttentionCall, AcceptsWhatIsRight) {
  EXPECT_EQ(refusal(goodCall()), "");
  // One key head for all batches: inputs may overlap.
  EXPECT_EQ(refusalAfter([](auto &c) { c.k.stride[0] = 0; }), "");
  // Strides of axes of one element are never used.
  EXPECT_EQ(refusalAfter([](auto &c) {
              c.shape.batch = 1;
              c.q.stride[0] = c.out.stride[0] = 3;
            }),
            "");
  EXPECT_EQ(refusalAfter([](auto &c) { c.lse = {}; }), "");
  // Nothing is touched.
  EXPECT_EQ(refusalAfter([](auto &c) { c.shape.n = 0, c.k = c.v = {}; }), "");
  EXPECT_EQ(refusalAfter([](auto &c) { c.shape.nq = 0, c.q = c.out = {}; }), "");
}

TEST(AttentionCall, RefusesAddresses) {
  EXPECT_EQ(refusalAfter([](auto &c) { c.v.address = 0; }), "v: expected memory, found address 0");
  EXPECT_EQ(refusalAfter([](auto &c) { c.out.address += 8; }),
            "out: expected an address that is a multiple of 16 bytes, found 0x60008");
  EXPECT_EQ(refusalAfter([](auto &c) { c.lse.address += 2; }),
            "lse: expected an address that is a multiple of 4 bytes, found 0x80002");
}

TEST(AttentionCall, RefusesStrides) {
  EXPECT_EQ(refusalAfter([](auto &c) { c.q.stride[2] = 68; }),
            "q: expected a row stride that is a multiple of 8 elements (16 bytes), found 68");
  EXPECT_EQ(refusalAfter([](auto &c) { c.k.stride[1] = -1280; }),
            "k: expected a head stride >= 0, found -1280");
  Asked call = goodCall();
  call.q.stride[0] += 2;
  EXPECT_EQ(refusal(call, DType::F32),
            "q: expected a batch stride that is a multiple of 4 elements (16 bytes), found 2562");
}

TEST(AttentionCall, RefusesShortMemory) {
  EXPECT_EQ(refusalAfter([](auto &c) { c.v.bytes -= 1; }),
            "v: expected at least 5120 bytes for 2 x 2 x 20 x 32 elements by strides 1280, 640, "
            "32, found 5119");
  EXPECT_EQ(refusalAfter([](auto &c) { c.lse.bytes = 316; }),
            "lse: expected at least 320 bytes for 2 x 4 x 1 x 10 elements by strides 40, 10, 0, "
            "found 316");
  EXPECT_EQ(refusalAfter([](auto &c) { c.q.stride[0] = INT64_MAX - 7; }),
            "q: expected at least 2^63 bytes for 2 x 4 x 10 x 64 elements by strides "
            "9223372036854775800, 640, 64, found 10240");
  // 2^62 elements: their bytes leave 64 bits.
  EXPECT_EQ(refusalAfter([](auto &c) { c.q.stride[0] = int64_t{1} << 62; }),
            "q: expected at least 2^63 bytes for 2 x 4 x 10 x 64 elements by strides "
            "4611686018427387904, 640, 64, found 10240");
}

TEST(AttentionCall, RefusesOverlappingOutputs) {
  EXPECT_EQ(refusalAfter([](auto &c) { c.out.stride[0] = 0; }),
            "out: expected rows that do not overlap, found strides 0, 320, 32 for rows of 32 "
            "elements");
  EXPECT_EQ(refusalAfter([](auto &c) { c.out.stride[2] = 16; }),
            "out: expected rows that do not overlap, found strides 1280, 320, 16 for rows of 32 "
            "elements");
  EXPECT_EQ(refusalAfter([](auto &c) { c.lse.stride[1] = 9; }),
            "lse: expected rows that do not overlap, found strides 40, 9, 0 for rows of 10 "
            "elements");
}

TEST(AttentionCall, RefusesShapes) {
  EXPECT_EQ(refusalAfter([](auto &c) { c.shape.kvHeads = 3; }),
            "expected kv heads that divide the 4 heads, found 3");
  EXPECT_EQ(refusalAfter([](auto &c) { c.shape.heads = 0; }), "expected 1 to 65535 heads, found 0");
  EXPECT_EQ(refusalAfter([](auto &c) { c.shape.batch = 65536; }),
            "expected a batch of 0 to 65535, found 65536");
  EXPECT_EQ(refusalAfter([](auto &c) { c.shape.n = int64_t{1} << 31; }),
            "expected 0 <= n < 2^31 - 1 keys, found 2147483648");
  EXPECT_EQ(refusalAfter([](auto &c) { c.shape.nq = -1; }),
            "expected 0 <= nq < 2^31 - 1 query rows, found -1");
  EXPECT_EQ(refusalAfter([](auto &c) { c.shape.q0 = INT32_MAX - 5; }),
            "expected query positions q0 .. q0 + nq in 32 bits, found q0 = 2147483642, nq = 10");
  EXPECT_EQ(refusalAfter([](auto &c) { c.heads = {.first = 1, .step = 2, .count = 3}; }),
            "expected heads below 4, found 3 from 1 in steps of 2");
}

/// [1, 2, 3 rows, 4] in f32 at an address, by a head stride and a row stride in elements.
struct View {
  DeviceAddress address;
  int64_t heads = 2, headStride = 12, rowStride = 4, rows = 3;
};

bool apart(const View &a, const View &b) {
  std::array<Tensor, 2> tensors;
  std::vector<Operand> operands;
  for (int i = 0; i < 2; ++i) {
    const View &view = i ? b : a;
    tensors[i] = {view.address, 1 << 20, {0, view.headStride, view.rowStride}};
    operands.push_back({i ? "b" : "a", tensors[i], {1, view.heads, view.rows}, 4, 4, 16});
  }
  // Against every pair of elements.
  bool meet = false;
  for (int64_t i = 0; i < a.heads * a.rows * 4; ++i)
    for (int64_t j = 0; j < b.heads * b.rows * 4; ++j) {
      auto at = [](const View &v, int64_t i) {
        return v.address +
               4 * (i / 4 / v.rows * v.headStride + i / 4 % v.rows * v.rowStride + i % 4);
      };
      meet |= at(a, i) == at(b, j);
    }
  Result<void> checked = checkApart(operands[0], operands[1]);
  if (!checked)
    EXPECT_EQ(checked.error().message, "a: expected memory of its own, found that it overlaps b");
  EXPECT_FALSE(checked && meet) << a.address << " " << b.address;
  return bool(checked);
}

TEST(AttentionCall, TellsViewsOfOneMatrixApart) {
  View dense{0x1000};
  EXPECT_TRUE(apart(dense, {0x1000 + 96}));
  EXPECT_FALSE(apart(dense, {0x1000 + 95}));
  EXPECT_FALSE(apart(dense, dense));
  // q, k and v of one product: rows of 3 x 2 heads of 4.
  View q{0x1000, 2, 4, 24}, k{0x1000 + 32, 2, 4, 24}, v{0x1000 + 64, 1, 4, 24};
  EXPECT_TRUE(apart(q, k) && apart(k, q) && apart(q, v) && apart(v, k));
  for (int64_t shift = -120; shift <= 120; shift += 4) {
    View moved = q;
    moved.address += static_cast<DeviceAddress>(shift);
    apart(q, moved);
    EXPECT_EQ(apart(k, moved), apart(moved, k));
  }
  // Other strides: apart where their ranges are.
  EXPECT_FALSE(apart(q, {0x1000 + 32, 2, 8, 24}));
  EXPECT_TRUE(apart(q, {0x2000, 2, 8, 24}));
}

TEST(AttentionCall, HeadsOfAnEntry) {
  auto [first, step, count] = headsOfEntry(1, 3, 8); // 1 4 7
  EXPECT_EQ(first, 1);
  EXPECT_EQ(step, 3);
  EXPECT_EQ(count, 3);
  EXPECT_EQ(headsOfEntry(2, 3, 8).count, 2);
  EXPECT_EQ(headsOfEntry(2, 3, 2).count, 0);
}

} // namespace
} // namespace sparsec
