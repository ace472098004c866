// What a kernel says of itself, as text and as bytes: what is printed parses back, and nothing else
// does.
#include "kernel/Kernel.h"
#include "kernel/ops/Attention.h"

#include <gtest/gtest.h>

namespace sparsec {
namespace {

Signature signature() {
  using enum FieldType;
  return Signature({{.name = "n", .type = I32},
                    {.name = "x"},
                    {.name = "map", .type = TensorMap},
                    {.name = "scale", .type = F32},
                    {.name = "x_stride", .type = I64, .count = 3},
                    {.name = "y", .written = true, .optional = true}});
}

Kernel kernel() {
  return {.entry = "strided_row_forward",
          .operation = "forward",
          .target = *findTarget("sm_90"),
          .grid = {.axis = Grid::Axis::Keys,
                   .tile = 64,
                   .longest = Grid::Longest::First,
                   .order = "row_order"},
          .block = {64, 32},
          .threads = 128,
          .sharedBytes = 40960,
          .signature = signature(),
          .code = std::string("// text\n\0and bytes", 18),
          .object = "object"};
}

TEST(Signature, FieldsLieAsInCWithoutGaps) {
  Signature fields = signature();
  EXPECT_EQ(print(fields), "tensor_map map at 0\n"
                           "pointer x at 128\n"
                           "pointer y at 136 written optional\n"
                           "i64 x_stride[3] at 144\n"
                           "i32 n at 168\n"
                           "f32 scale at 172\n");
  EXPECT_EQ(fields.alignment(), 64);
  EXPECT_EQ(fields.bytes(), 192); // a multiple of the alignment
  EXPECT_EQ(fields.find("n")->offset, 168);
  EXPECT_EQ(fields.find("nq"), nullptr);
  EXPECT_EQ(Signature().bytes(), 0);
}

TEST(Signature, ParsesWhatItPrints) {
  EXPECT_EQ(*parseSignature(print(signature())), signature());
  for (const char *wrong : {"pointer x", "pointer x at y", "i16 x at 0", "i64 x[0] at 0",
                            "i64 x[3 at 0", "pointer x at 0 read", "pointer x at 0 written written",
                            "i32 n at 4", "i32 n at 0\npointer x at 8"})
    EXPECT_FALSE(parseSignature(wrong)) << wrong;
}

TEST(Grid, ParsesWhatItPrints) {
  Grid grid = kernel().grid;
  EXPECT_EQ(print(grid), "rows of keys, tile 64, heads 1, longest first, order row_order");
  EXPECT_EQ(*parseGrid(print(grid)), grid);
  Grid range{.work = Grid::Work::Range, .persistent = true};
  EXPECT_EQ(*parseGrid(print(range)), range);
  for (const char *wrong :
       {"", "rows", "rows of heads, tile 64, heads 1, longest first, order none",
        "rows of keys, tile x, heads 1, longest first, order none"})
    EXPECT_FALSE(parseGrid(wrong)) << wrong;
}

TEST(Target, ParsesWhatItPrints) {
  for (const char *name : {"sm_80", "sm_90", "cpu", "cpu-avx2"}) {
    Target target = *findTarget(name);
    EXPECT_EQ(*parseTarget(print(target)), target);
  }
  for (const char *wrong :
       {"", "sm_80", "sm_80 path sm70", "cpu path cpu level", "cpu path cpu level a b"})
    EXPECT_FALSE(parseTarget(wrong)) << wrong;
}

TEST(Kernel, ParsesWhatItPrints) {
  Kernel whole = kernel(), text = *parseKernel(print(whole));
  text.code = whole.code, text.object = whole.object;
  EXPECT_EQ(text, whole);
}

TEST(Kernel, PointsAtTheFirstLineThatIsWrong) {
  std::string text = print(kernel());
  auto wrong = [&](const std::string &what, const std::string &with) {
    std::string changed = text;
    changed.replace(changed.find(what), what.size(), with);
    Result<Kernel> parsed = parseKernel(changed);
    return parsed ? "" : parsed.error().message;
  };
  EXPECT_EQ(wrong("threads 128", "thread 128"), "expected 'threads ...', found 'thread 128'");
  EXPECT_EQ(wrong("threads 128", "threads many"), "threads: expected a number, found 'many'");
  EXPECT_EQ(wrong("block 64x32", "block 64"), "expected a block, found '64'");
  EXPECT_EQ(wrong("amx no", "amx maybe"), "amx: expected yes or no, found 'maybe'");
  EXPECT_EQ(wrong("takes pointer x", "gives pointer x"),
            "expected 'takes ...', found 'gives pointer x at 128'");
}

TEST(Kernel, BytesComeBackOrAreRefused) {
  Kernel whole = kernel();
  std::string bytes = toBytes(whole);
  EXPECT_EQ(*kernelFromBytes(bytes), whole);
  for (size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(kernelFromBytes(std::string_view(bytes).substr(0, length))) << length;
  EXPECT_FALSE(kernelFromBytes(bytes + "x"));
}

TEST(Request, IsThePlainOneOrNone) {
  auto text = std::make_shared<SourceText>(SourceText{"test", "k <= q"});
  AttentionRequest plain{
      .entry = "k", .attend = *parsePredicate(text), .target = *findTarget("sm_80")};
  Request request = plain;
  EXPECT_EQ(request.operation(), "forward");
  EXPECT_EQ(request.with({32, 64}).as<AttentionRequest>()->block, (Block{32, 64}));
  EXPECT_EQ(request.block(), Block{}); // unchanged
  EXPECT_EQ(request.text(), "operation forward\n"
                            "entry k\n"
                            "target sm_80 path sm80 shared 166912 ptx ptx80\n"
                            "block 0x0\n"
                            "dtype bf16\nhead_dim 64\nvalue_dim 64\norders natural natural\n"
                            "part firstlast\nattend k <= q\n");
}

} // namespace
} // namespace sparsec
