// What the C interface is refused for, with the exact words.
#include "tests/runtime/c/Problem.h"

#include <functional>

namespace sparsec::test {
namespace {

/// Runs what must fail: "STATUS text".
std::string refusal(sparsec_status status) {
  return status == SPARSEC_OK ? "0" : std::to_string(status) + " " + sparsec_error();
}

/// A program of 4 heads over 2 kv heads on 6 queries and 10 keys, and calls that are right.
class Refusal : public testing::Test {
protected:
  static void SetUpTestSuite() {
    device = openDevice("cpu", 1);
    program = compile(device, {.kind = SPARSEC_PATTERN_TEXT, .text = kStrided}, {.head_dim = 16});
  }
  static void TearDownTestSuite() {
    program.reset();
    device.reset();
  }
  void SetUp() override {
    ASSERT_TRUE(program && plan);
    forwards.emplace(plan, SPARSEC_FORWARD);
    backwards.emplace(plan, SPARSEC_BACKWARD);
  }
  template <class Change>
  std::string forward(Change change) {
    Problem own(kStrided, problem.shape, 16);
    sparsec_forward_call call = own.forward(*forwards);
    change(own, call);
    return refusal(sparsec_forward(plan.get(), &call));
  }
  template <class Change>
  std::string backward(Change change) {
    Problem own(kStrided, problem.shape, 16);
    sparsec_backward_call call = own.backward(*backwards);
    change(own, call);
    return refusal(sparsec_backward(plan.get(), &call));
  }
  std::string compiled(const sparsec_pattern &pattern, const sparsec_compile_options &options) {
    sparsec_program *made = nullptr;
    std::string said = refusal(sparsec_compile(device.get(), &pattern, &options, &made));
    EXPECT_EQ(made, nullptr);
    return said;
  }
  std::string prepared(sparsec_shape shape) {
    shape.size = sizeof shape;
    sparsec_plan *made = nullptr;
    std::string said = refusal(sparsec_prepare(program.get(), &shape, nullptr, &made));
    EXPECT_EQ(made, nullptr);
    return said;
  }

  static inline DeviceHandle device;
  static inline ProgramHandle program; ///< compiled once
  Problem problem{kStrided, {.batch = 2, .heads = 4, .kv_heads = 2, .nq = 6, .n = 10}, 16};
  PlanHandle plan = prepare(program, problem.shape);
  std::optional<Workspace> forwards, backwards;
};

TEST_F(Refusal, Nulls) {
  sparsec_device *opened = nullptr;
  EXPECT_EQ(refusal(sparsec_open_device(nullptr, nullptr, &opened)),
            "1 name: expected a pointer, found null");
  EXPECT_EQ(refusal(sparsec_open_device("cpu", nullptr, nullptr)),
            "1 device: expected a pointer, found null");
  sparsec_pattern pattern = {sizeof pattern};
  EXPECT_EQ(compiled(pattern, {sizeof(sparsec_compile_options)}),
            "1 pattern: expected a text, found null");
  pattern.text = "causal";
  pattern.param_count = 1;
  EXPECT_EQ(compiled(pattern, {sizeof(sparsec_compile_options)}),
            "1 pattern.params[0]: expected a text, found null");
  EXPECT_EQ(refusal(sparsec_compile(device.get(), nullptr, nullptr, nullptr)),
            "1 program: expected a pointer, found null");
  EXPECT_EQ(refusal(sparsec_forward(nullptr, nullptr)), "1 plan: expected a pointer, found null");
  EXPECT_EQ(refusal(sparsec_forward(plan.get(), nullptr)), "1 call: expected a struct, found null");
  EXPECT_EQ(forward([](auto &, auto &call) { call.k = nullptr; }),
            "1 k: expected a tensor, found null");
  EXPECT_EQ(forward([](auto &own, auto &) { own.v.tensor.data = nullptr; }),
            "1 v: expected memory, found address 0");
  EXPECT_EQ(forward([](auto &own, auto &) { own.v.tensor.shape = nullptr; }),
            "1 v: expected a shape, found null");
  EXPECT_EQ(backward([](auto &, auto &call) { call.lse = nullptr; }),
            "1 lse: expected a tensor, found null");
  EXPECT_EQ(forward([](auto &, auto &call) { call.lse = nullptr; }), "0"); // not wanted
  EXPECT_EQ(backward([](auto &, auto &call) { call.dlse = nullptr; }), "0");
}

TEST_F(Refusal, Versions) {
  EXPECT_EQ(forward([](auto &, auto &call) { call.size = 0; }),
            "1 call.size: expected sizeof of the struct, found 0");
  // A later version's struct: what it says beyond this one must be nothing.
  struct Longer {
    sparsec_forward_call call;
    int64_t more;
  } longer = {problem.forward(*forwards), 0};
  longer.call.size = sizeof longer;
  EXPECT_OK(sparsec_forward(plan.get(), &longer.call));
  longer.more = 1;
  EXPECT_EQ(refusal(sparsec_forward(plan.get(), &longer.call)),
            "1 call.size: says more than this version of sparsec, " +
                std::string(sparsec_version()) + ", knows");
  // An earlier version's: without lse and what follows.
  sparsec_device_options options = {sizeof(size_t), 9999};
  sparsec_device *opened = nullptr;
  EXPECT_OK(sparsec_open_device("cpu", &options, &opened));
  sparsec_release_device(opened);
}

TEST_F(Refusal, Tensors) {
  EXPECT_EQ(forward([](auto &own, auto &) { own.q.tensor.ndim = 3; }),
            "1 q: expected 4 dimensions, found 3");
  EXPECT_EQ(forward([](auto &own, auto &) { own.lse.tensor.ndim = 4; }),
            "1 lse: expected 3 dimensions, found 4");
  EXPECT_EQ(forward([](auto &own, auto &) { own.k.shape[2] = 11; }),
            "1 k: expected shape [2, 2, 10, 16], found [2, 2, 11, 16]");
  EXPECT_EQ(forward([](auto &, auto &call) { call.layout = SPARSEC_BSHD; }),
            "1 q: expected shape [2, 6, 4, 16], found [2, 4, 6, 16]");
  EXPECT_EQ(forward([](auto &, auto &call) { call.layout = 7; }),
            "1 call.layout: expected a sparsec_layout, found 7");
  EXPECT_EQ(forward([](auto &own, auto &) { own.q.tensor.dtype.bits = 16; }),
            "1 q: expected f32, found f16");
  EXPECT_EQ(forward([](auto &own, auto &) {
              own.out.tensor.dtype = {SPARSEC_DL_BFLOAT, 16, 1};
            }),
            "1 out: expected f32, found bf16");
  EXPECT_EQ(forward([](auto &own, auto &) {
              own.lse.tensor.dtype = {0, 64, 1};
            }),
            "1 lse: expected f32, found DLPack's type (0, 64, 1)");
  EXPECT_EQ(forward([](auto &own, auto &) {
              own.q.tensor.device = {SPARSEC_DL_CUDA, 1};
            }),
            "1 q: expected memory of cpu, found cuda:1");
  EXPECT_EQ(forward([](auto &own, auto &) {
              own.q.tensor.device = {10, 0};
            }),
            "1 q: expected memory of cpu, found DLPack's device 10");
}

TEST_F(Refusal, StridesAndAlignment) {
  int64_t strides[] = {4 * 6 * 16, 6 * 16, 16, 1};
  auto with = [&](int axis, int64_t stride) {
    return forward([&](auto &own, auto &) {
      strides[axis] = stride;
      own.q.tensor.strides = strides;
    });
  };
  EXPECT_EQ(with(3, 2), "1 q: expected a contiguous last dimension, found stride 2");
  strides[3] = 1;
  EXPECT_EQ(with(2, 14), "1 q: expected a row stride that is a multiple of 4 elements (16 bytes), "
                         "found 14");
  strides[2] = 16;
  EXPECT_EQ(with(1, -96), "1 q: expected a head stride >= 0, found -96");
  EXPECT_EQ(forward([](auto &own, auto &) { own.k.tensor.byte_offset = 8; }).substr(0, 65),
            "1 k: expected an address that is a multiple of 16 bytes, found 0x");
  int64_t overlapping[] = {4 * 6 * 16, 6 * 16, 0, 1};
  EXPECT_EQ(forward([&](auto &own, auto &) { own.out.tensor.strides = overlapping; }),
            "1 out: expected rows that do not overlap, found strides 384, 96, 0 for rows of 16 "
            "elements");
}

TEST_F(Refusal, Overlaps) {
  EXPECT_EQ(forward([](auto &, auto &call) { call.out = call.q; }),
            "1 out: expected memory of its own, found that it overlaps q");
  EXPECT_EQ(forward([](auto &own, auto &) { own.lse.tensor.data = own.out.values + 100; }),
            "1 lse: expected memory of its own, found that it overlaps out");
  EXPECT_EQ(backward([](auto &, auto &call) { call.dk = call.k; }),
            "1 dk: expected memory of its own, found that it overlaps k");
  EXPECT_EQ(backward([](auto &, auto &call) { call.dv = call.dk; }),
            "1 dv: expected memory of its own, found that it overlaps dk");
}

TEST_F(Refusal, Workspaces) {
  EXPECT_EQ(backward([](auto &, auto &call) { call.workspace = nullptr; }),
            "1 workspace: expected " + std::to_string(backwards->bytes) + " bytes, found none");
  EXPECT_EQ(backward([](auto &, auto &call) { call.workspace_bytes -= 1; }),
            "1 workspace: expected " + std::to_string(backwards->bytes) +
                " bytes at least, found " + std::to_string(backwards->bytes - 1));
  EXPECT_EQ(backward([](auto &, auto &call) {
              call.workspace = static_cast<char *>(call.workspace) + 64;
            }).substr(0, 66),
            "1 workspace: expected an address that is a multiple of 256 bytes, ");
}

TEST_F(Refusal, Shapes) {
  EXPECT_EQ(prepared({.batch = 1, .heads = 4, .kv_heads = 3, .nq = 1, .n = 1}),
            "1 shape: expected kv heads that divide the 4 heads, found 3");
  EXPECT_EQ(prepared({.batch = -1, .heads = 4, .nq = 1, .n = 1}),
            "1 shape: expected a batch of 0 to 65535, found -1");
  EXPECT_EQ(prepared({.batch = 1, .heads = 4, .nq = 1, .n = int64_t(1) << 31}),
            "1 shape: expected 0 <= n < 2^31 - 1 keys, found 2147483648");
  EXPECT_EQ(prepared({.batch = 1, .heads = 0, .nq = 1, .n = 1}),
            "1 shape: expected 1 to 65535 heads, found 0");
}

TEST_F(Refusal, Compiling) {
  sparsec_pattern pattern = {.size = sizeof pattern, .text = "causal"};
  auto with = [&](auto change) {
    sparsec_compile_options options = {sizeof options};
    change(options);
    return compiled(pattern, options);
  };
  EXPECT_EQ(with([](auto &o) { o.head_dim = 257; }),
            "1 options.head_dim: expected 0 to 256, found 257");
  EXPECT_EQ(with([](auto &o) { o.dtype = 9; }),
            "1 options.dtype: expected a sparsec_dtype, found 9");
  EXPECT_EQ(with([](auto &o) { o.operations = 16; }),
            "1 options.operations: expected a sum of SPARSEC_FORWARD, SPARSEC_BACKWARD, "
            "SPARSEC_DECODE and SPARSEC_MASS, found 16");
  EXPECT_EQ(with([](auto &o) { o.target = "sm_80"; }),
            "1 options.target: device cpu does not run code for sm_80");
  EXPECT_EQ(with([](auto &o) { o.split = "perhaps"; }),
            "1 options.split: expected auto, always or never, found 'perhaps'");
  EXPECT_EQ(with([](auto &o) { o.block_q = 64; }),
            "1 options.block_q, block_k: expected both or none");
  pattern.kind = 5;
  EXPECT_EQ(with([](auto &) {}), "1 pattern.kind: expected a sparsec_pattern_kind, found 5");
  pattern = {.size = sizeof pattern, .text = "casual"};
  EXPECT_EQ(with([](auto &) {}),
            "1 there is no pattern 'casual' in the zoo: did you mean 'causal'?\n"
            "note: a path has a '/' or ends in .yaml");
  pattern = {.size = sizeof pattern, .kind = SPARSEC_PATTERN_EXPRESSION, .text = "causal and"};
  EXPECT_EQ(with([](auto &) {}).substr(0, 13), "1 -e:1:11: er");
  pattern = {.size = sizeof pattern, .text = "strided-interleaved"};
  EXPECT_EQ(with([](auto &) {}), "1 pattern.layer: expected a layer: the 4 layers of "
                                 "'strided-interleaved' differ");
  pattern.has_layer = 1;
  pattern.layer = -1;
  EXPECT_EQ(with([](auto &) {}), "1 pattern.layer: expected a layer from 0, found -1");
}

TEST_F(Refusal, Devices) {
  sparsec_device *opened = nullptr;
  EXPECT_EQ(refusal(sparsec_open_device("gpu", nullptr, &opened)),
            "1 expected a device: cuda, cpu, sim; found 'gpu'");
  EXPECT_EQ(refusal(sparsec_open_device("cpu:1", nullptr, &opened)),
            "1 device: expected cpu, cuda, cuda:I or sim, found 'cpu:1'");
  sparsec_device_options options = {sizeof options, -1};
  EXPECT_EQ(refusal(sparsec_open_device("cpu", &options, &opened)),
            "1 options.threads: expected 0 to 4096, found -1");
  EXPECT_EQ(opened, nullptr);
}

TEST_F(Refusal, ForwardOnly) {
  ProgramHandle only = compile(device, {.kind = SPARSEC_PATTERN_TEXT, .text = kStrided},
                               {.operations = SPARSEC_FORWARD, .head_dim = 16});
  PlanHandle own = prepare(only, problem.shape);
  sparsec_backward_call call = problem.backward(*backwards);
  EXPECT_EQ(refusal(sparsec_backward(own.get(), &call)),
            "1 plan: its program was compiled without backward");
}

TEST_F(Refusal, Masks) {
  uint8_t mask[12];
  sparsec_pattern pattern = {.size = sizeof pattern, .text = "causal"};
  EXPECT_EQ(refusal(sparsec_mask(&pattern, 1, 3, 4, 1, mask, 11)),
            "1 bytes: expected 1 x 3 x 4, found 11");
  ASSERT_OK(sparsec_mask(&pattern, 1, 3, 4, 1, mask, 12));
  EXPECT_EQ(std::vector<uint8_t>(mask, mask + 12),
            std::vector<uint8_t>({1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1}));
}

} // namespace
} // namespace sparsec::test
