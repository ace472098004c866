#include "tools/verify/ops/embedding/Embedding.h"

#include "runtime/Embedding.h"
#include "tests/reference/Embedding.h"

#include <array>
#include <cmath>
#include <fmt/format.h>

namespace sparsec {

using Use = ProblemMatrix::Use;

std::string describe(const EmbeddingCase &c) {
  std::string text =
      fmt::format("{} of {}, {} {} tokens of {}", describe(static_cast<const MatrixCase &>(c)),
                  name(c.tables), c.batch, name(c.tokens), c.classes);
  for (const IndexCase &each : c.positions)
    text += fmt::format(", {}", each.text);
  return text;
}
std::string describe(const EmbeddingGradientCase &c) {
  return fmt::format("{}, {} {}, {} rows{}", describe(static_cast<const MatrixCase &>(c)), c.batch,
                     c.index.row ? std::string(c.index.text)
                                 : fmt::format("{} tokens", name(c.tokens)),
                     c.tableRows, c.accumulate ? ", accumulated" : "") +
         (c.tokenAt ? ", by position" : "") + (c.whole ? ", exactly" : "");
}

//===-- Cases ---------------------------------------------------------------------------------===//

namespace {

constexpr IndexCase kRow = {"t // 7", [](int64_t t) { return t / 7; }, 100};
constexpr IndexCase kColumn = {"t // 3 % 9", [](int64_t t) { return t / 3 % 9; }, 9};
constexpr IndexCase kColour = {"t % 3", [](int64_t t) { return t % 3; }, 3};
constexpr int64_t kMostOneHot = EmbeddingGradientRequest::kMostOneHot;
constexpr IndexCase kLearned = {"t", [](int64_t t) { return t; }, 1000};

template <class C>
C sized(DType dtype, int64_t batch, int64_t n, int64_t columns) {
  C c;
  c.dtype = dtype;
  c.batch = batch, c.n = n;
  c.rows = batch * n, c.columns = columns;
  c.surround = Surround::Filled;
  c.runs = 2;
  return c;
}

EmbeddingCase forward(DType dtype, DType tables, IndexType tokens, int64_t batch, int64_t n,
                      int64_t columns, int64_t classes, std::vector<IndexCase> positions) {
  auto c = sized<EmbeddingCase>(dtype, batch, n, columns);
  c.tables = tables, c.tokens = tokens, c.classes = classes, c.positions = std::move(positions);
  return c;
}

EmbeddingGradientCase gradient(DType dtype, IndexType tokens, IndexCase index, int64_t batch,
                               int64_t n, int64_t columns, int64_t rows) {
  auto c = sized<EmbeddingGradientCase>(dtype, batch, n, columns);
  c.tokens = tokens, c.index = index, c.tableRows = rows;
  return c;
}

} // namespace

std::vector<EmbeddingCase> embeddingCases(const CaseFlags &flags) {
  using enum DType;
  using enum IndexType;
  if (flags.set == CaseFlags::Set::One)
    return {forward(flags.dtype, flags.dtype, U8, 2, flags.rows.value_or(200),
                    flags.columns.value_or(256), 256, {kRow, kColumn, kColour})};
  std::vector<EmbeddingCase> cases = {
      forward(F32, F32, U8, 1, 1, 32, 256, {}),
      forward(F32, F32, U8, 2, 70, 48, 256, {kRow, kColumn, kColour}),
      forward(BF16, BF16, I32, 3, 66, 160, 500, {kLearned}),
      forward(F16, F32, U8, 2, 10, 64, 200, {kColour}),
      forward(F32, BF16, I32, 1, 130, 50, 30, {kColumn}),
      forward(BF16, BF16, U8, 2, 5, 13, 7, {kColour})};
  cases[1].gap = 4, cases[1].rowGap = 3;
  cases[3].surround = cases[4].surround = Surround::None;
  cases[2].gap = 8;
  cases[4].gap = 1;
  if (flags.set == CaseFlags::Set::Full)
    for (DType dtype : {F32, BF16, F16})
      for (int64_t columns : {1, 16, 33, 64, 96, 128, 129, 256, 1000, 1024}) {
        cases.push_back(forward(dtype, dtype, columns % 2 ? I32 : U8, 2, 77, columns, 256,
                                {kRow, kColumn, kColour}));
      }
  return cases;
}

std::vector<EmbeddingGradientCase> embeddingGradientCases(const CaseFlags &flags) {
  using enum DType;
  using enum IndexType;
  if (flags.set == CaseFlags::Set::One)
    return {gradient(flags.dtype, U8, {}, 2, flags.rows.value_or(200), flags.columns.value_or(256),
                     256)};
  std::vector<EmbeddingGradientCase> cases = {
      gradient(F32, U8, {}, 1, 1, 32, 256),
      gradient(BF16, U8, {}, 2, 130, 64, 256),
      gradient(F16, I32, {}, 3, 40, 48, 70),
      gradient(BF16, I32, kRow, 2, 200, 64, 100),
      gradient(F32, I32, kColumn, 2, 75, 32, 9),
      gradient(BF16, I32, kLearned, 3, 150, 96, 150),
      gradient(BF16, I32, kColour, 1, 90, 50, 3),
      gradient(F32, I32, {}, 1, 40, 13, 20),
      gradient(BF16, I32, kLearned, 3, 150, 32, 16500), // parts of two sequences
      gradient(F32, I32, {}, 2, 150, 33, 1100),         // tokens that are sorted
      gradient(BF16, I32, {}, 3, 1111, 32, 4097)};      // of two spans and of several parts
  cases[1].gap = 8;
  cases[2].surround = cases[4].surround = cases[7].surround = Surround::None;
  cases[3].whole = cases[4].whole = true;
  cases[2].accumulate = cases[4].accumulate = true;
  cases[6].gap = 1, cases[6].accumulate = true;
  cases[9].gap = 1, cases[9].accumulate = cases[9].whole = true;
  cases[10].surround = Surround::None;
  if (flags.set == CaseFlags::Set::Full)
    for (DType dtype : {F32, BF16, F16})
      for (int64_t columns : {1, 33, 64, 128, 129, 1000}) {
        IndexCase index = std::array{IndexCase(), kRow, kColour, kLearned}[cases.size() % 4];
        cases.push_back(gradient(dtype, I32, index, 2, 300, columns, index.row ? index.rows : 900));
        cases.back().whole = columns % 3 == 0;
        for (int64_t rows : columns == 64 ? std::vector<int64_t>{4097, 20000, 65536}
                                          : std::vector<int64_t>{1025}) {
          cases.push_back(gradient(dtype, I32, {}, 3, 1111, columns, rows));
          cases.back().accumulate = rows % 2 == 0;
          cases.back().whole = columns % 3 == 0;
        }
      }
  return cases;
}

//===-- Numbers -------------------------------------------------------------------------------===//

namespace {

/// Of all kinds of rows: the first and the last ones often, some never, some that are none.
std::vector<int32_t> tokenValues(Random &random, int64_t count, IndexType type, int64_t rows) {
  std::vector<int32_t> tokens(count);
  for (int32_t &each : tokens) {
    int64_t often = random.below(std::min<int64_t>(rows, 5));
    if (random.below(2))
      each = int32_t(random.below(rows));
    else
      each = int32_t(random.below(2) ? often : rows - 1 - often);
    if (type == IndexType::I32 && random.below(20) == 0)
      each = random.below(2) ? -1 - each : int32_t(rows) + each;
  }
  return tokens;
}

/// As the words of a matrix: four tokens of a byte each to one.
ProblemMatrix tokenMatrix(const std::string &name, const std::vector<int32_t> &tokens,
                          IndexType type, int64_t batch, int64_t n) {
  if (type == IndexType::I32)
    return {name, Use::Input, batch, n, DType::F32, integerValues(tokens)};
  int64_t words = (n + 3) / 4;
  std::vector<int32_t> packed(batch * words);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t t = 0; t < n; ++t)
      packed[b * words + t / 4] |= (tokens[b * n + t] & 255) << t % 4 * 8;
  return {name, Use::Input, batch, words, DType::F32, integerValues(packed)};
}

/// The same as a call takes it: rows of a matrix are sequences.
Tensor tokenTensor(const HostTensor &words, IndexType type) {
  Tensor tensor = words.tensor();
  tensor.stride[0] = tensor.stride[2] * (type == IndexType::U8 ? 4 : 1);
  return tensor;
}

/// [batch n, columns] as [batch, n, columns].
Tensor sequences(const HostTensor &matrix, int64_t n) {
  Tensor tensor = matrix.tensor();
  tensor.stride[0] = n * tensor.stride[2];
  return tensor;
}

std::vector<int32_t> positionValues(const IndexCase &index, int64_t batch, int64_t n) {
  std::vector<int32_t> values;
  for (int64_t i = 0; i < batch * n; ++i)
    values.push_back(int32_t(index.row(i % n)));
  return values;
}

std::vector<float> rounded(const std::vector<float> &values, DType type) {
  std::vector<float> result;
  for (float value : values)
    result.push_back(roundTo(type, value));
  return result;
}

Result<Expr> indexOf(const IndexCase &index) {
  return parseIndex(std::make_shared<SourceText>(SourceText{"index", index.text}));
}

std::string positionName(size_t i) {
  return fmt::format("position{}", i);
}

} // namespace

MatrixProblem embeddingProblem(const EmbeddingCase &c) {
  Random random(c.seed);
  auto tableOf = [&](int64_t rows, std::vector<int32_t> index) {
    return reference::EmbeddingTable{rows, normalValues(random, rows * c.columns, c.tables),
                                     std::move(index)};
  };
  std::vector<reference::EmbeddingTable> tables = {
      tableOf(c.classes, tokenValues(random, c.rows, c.tokens, c.classes))};
  for (const IndexCase &each : c.positions)
    tables.push_back(tableOf(each.rows, positionValues(each, c.batch, c.n)));
  MatrixProblem problem;
  problem.matrices = {tokenMatrix("tokens", tables[0].index, c.tokens, c.batch, c.n),
                      {"table", Use::Input, c.classes, c.columns, c.tables, tables[0].values},
                      {"x", Use::Output, c.rows, c.columns, c.dtype}};
  for (size_t i = 0; i < c.positions.size(); ++i)
    problem.matrices.push_back({positionName(i), Use::Input, c.positions[i].rows, c.columns,
                                c.tables, tables[i + 1].values});
  problem.solve = [c, tables] {
    return std::vector<ProblemResult>{
        {"x", reference::embedding<double>(tables, c.columns),
         rounded(reference::embedding<float>(tables, c.columns), c.dtype)}};
  };
  return problem;
}

MatrixProblem embeddingGradientProblem(const EmbeddingGradientCase &c) {
  Random random(c.seed);
  reference::EmbeddingGradient p{.rows = c.tableRows, .columns = c.columns};
  p.index = c.index.row ? positionValues(c.index, c.batch, c.n)
                        : tokenValues(random, c.rows, c.tokens, c.tableRows);
  if (c.tokenAt)
    for (int64_t i = 0; i < c.rows; ++i)
      p.index[i] = static_cast<int32_t>(c.tokenAt(i % c.n));
  p.dx = normalValues(random, c.rows * c.columns, c.dtype);
  if (c.whole)
    for (float &value : p.dx)
      value = std::round(4 * value);
  if (c.accumulate)
    p.prior = normalValues(random, c.tableRows * c.columns, DType::F32);
  if (c.whole)
    for (float &value : p.prior)
      value = std::round(value);
  MatrixProblem problem;
  problem.matrices = {{"dx", Use::Input, c.rows, c.columns, c.dtype, p.dx},
                      {"gradient", c.accumulate ? Use::Updated : Use::Output, c.tableRows,
                       c.columns, DType::F32, p.prior}};
  if (!c.index.row)
    problem.matrices.push_back(tokenMatrix("index", p.index, c.tokens, c.batch, c.n));
  problem.solve = [p, whole = c.whole] {
    ProblemResult gradient{"gradient", reference::embeddingGradient<double>(p)};
    if (whole) { // integers below 2^24 are added exactly, in any order
      gradient.units = 0;
      return std::vector{gradient};
    }
    gradient.plain = reference::embeddingGradient<float>(p);
    gradient.terms = reference::embeddingTerms(p);
    return std::vector{gradient};
  };
  return problem;
}

//===-- Runs ----------------------------------------------------------------------------------===//

Result<Launched> runEmbedding(const VerifySetting &setting, const EmbeddingCase &c,
                              const Tensors &tensors) {
  EmbeddingRequest request{.entry = "embed",
                           .columns = c.columns,
                           .tables = c.tables,
                           .dtype = c.dtype,
                           .tokens = c.tokens,
                           .positions = int(c.positions.size()),
                           .target = setting.target};
  std::vector<PositionTable> positions;
  for (const IndexCase &each : c.positions) {
    Result<Expr> index = indexOf(each);
    if (!index)
      return index.error();
    positions.push_back({*index, each.rows});
  }
  Result<std::vector<Kernel>> kernels = setting.compile(request);
  if (!kernels)
    return kernels.error();
  Result<Embedding> embedding =
      Embedding::load(setting.device, std::move(*kernels), request, std::move(positions));
  if (!embedding)
    return embedding.error();
  EmbeddingCall call{.batch = c.batch,
                     .n = c.n,
                     .classes = c.classes,
                     .tokens = tokenTensor(tensors["tokens"], c.tokens),
                     .table = tensors["table"].tensor(),
                     .x = sequences(tensors["x"], c.n)};
  for (size_t i = 0; i < c.positions.size(); ++i)
    call.positions.push_back(tensors[positionName(i)].tensor());
  return keep(embedding->launch(call), std::move(*embedding));
}

Result<Launched> runEmbeddingGradient(const VerifySetting &setting, const EmbeddingGradientCase &c,
                                      const Tensors &tensors) {
  EmbeddingGradientRequest request{.entry = "embed_gradient",
                                   .columns = c.columns,
                                   .dtype = c.dtype,
                                   .index = c.tokens,
                                   .sorted = !c.index.row && c.tableRows > kMostOneHot,
                                   .target = setting.target};
  std::optional<Expr> index;
  if (c.index.row) {
    Result<Expr> parsed = indexOf(c.index);
    if (!parsed)
      return parsed.error();
    index = *parsed;
  }
  Result<std::vector<Kernel>> kernels = setting.compile(request);
  if (!kernels)
    return kernels.error();
  Result<EmbeddingGradient> gradient =
      EmbeddingGradient::load(setting.device, std::move(*kernels), request, index);
  if (!gradient)
    return gradient.error();
  EmbeddingGradientCall call{.batch = c.batch,
                             .n = c.n,
                             .rows = c.tableRows,
                             .dx = sequences(tensors["dx"], c.n),
                             .gradient = tensors["gradient"].tensor(),
                             .accumulate = c.accumulate};
  if (!index)
    call.index = tokenTensor(tensors["index"], c.tokens);
  return keep(gradient->launch(call), std::move(*gradient));
}

} // namespace sparsec
