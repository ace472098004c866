#include "tools/verify/ops/matmul/SparseMatmul.h"

#include "patterns/Evaluate.h"
#include "runtime/SparseMatmul.h"

#include <fmt/format.h>

#include <limits>

namespace sparsec {

using Pass = MatmulRequest::Pass;
using Use = ProblemMatrix::Use;

std::string describe(const SparseMatmulCase &c) {
  return fmt::format("{}, {}, blocks of {}x{}", describe(static_cast<const MatmulCase &>(c)),
                     c.entry, c.block.q, c.block.k);
}

std::vector<SparseMatmulCase> sparseMatmulCases(const Pattern &pattern, const CaseFlags &flags) {
  // Dense cases small enough that one block is not all, with what stands around them.
  std::vector<MatmulCase> dense = matmulCases(flags);
  std::erase_if(dense, [&](const MatmulCase &c) {
    return flags.set != CaseFlags::Set::One && (c.in < 40 || c.out < 40 || c.rows < 2);
  });
  std::vector<SparseMatmulCase> cases;
  constexpr Block kBlocks[] = {{32, 32}, {16, 48}, {64, 16}};
  for (const HeadEntry &head : pattern.heads)
    for (size_t i = 0; i < dense.size(); ++i) {
      SparseMatmulCase c{dense[i], simplify(head.attend), head.name, kBlocks[i % 3]};
      if (flags.set == CaseFlags::Set::One && flags.block.q)
        c.block = flags.block;
      cases.push_back(std::move(c));
    }
  return cases;
}

namespace {

/// Which elements of w attend, and where the live blocks are.
struct Mask {
  SparseMatmulCase c;
  std::vector<uint8_t> attends; ///< [out, in]
  std::vector<WeightBlock> live;

  explicit Mask(const SparseMatmulCase &of) : c(of) {
    for (int64_t q = 0; q < c.out; ++q)
      for (int64_t k = 0; k < c.in; ++k)
        attends.push_back(evaluate(c.attend, {.h = 0, .q = q, .k = k}, {.nq = c.out, .nk = c.in}));
    for (int32_t row = 0; row * c.block.q < c.out; ++row)
      for (int32_t column = 0; column * c.block.k < c.in; ++column)
        if (isLive(row, column))
          live.push_back({row, column});
  }

  bool at(int64_t q, int64_t k) const { return q < c.out && k < c.in && attends[q * c.in + k]; }

  bool isLive(int32_t row, int32_t column) const {
    for (int64_t q = 0; q < c.block.q; ++q)
      for (int64_t k = 0; k < c.block.k; ++k)
        if (at(row * c.block.q + q, column * c.block.k + k))
          return true;
    return false;
  }

  int64_t rows() const { return static_cast<int64_t>(live.size()) * c.block.q; }

  /// The live blocks of [out, in], `otherwise` where an element does not attend.
  template <class T>
  std::vector<T> gather(const std::vector<T> &dense, T otherwise) const {
    std::vector<T> blocks;
    for (const WeightBlock &block : live)
      for (int64_t i = 0; i < c.block.q; ++i)
        for (int64_t j = 0; j < c.block.k; ++j) {
          int64_t q = block.row * c.block.q + i, k = block.column * c.block.k + j;
          blocks.push_back(at(q, k) ? dense[q * c.in + k] : otherwise);
        }
    return blocks;
  }
};

} // namespace

MatrixProblem sparseMatmulProblem(const SparseMatmulCase &c) {
  auto mask = std::make_shared<Mask>(c);
  MatrixProblem problem = matmulProblem(c, mask->attends);
  for (ProblemMatrix &matrix : problem.matrices) {
    if (matrix.name != "w" && matrix.name != "dw")
      continue;
    matrix.rows = mask->rows(), matrix.columns = c.block.k;
    bool isInput = matrix.use == Use::Input;
    if (!matrix.values.empty())
      matrix.values =
          mask->gather(matrix.values, isInput ? std::numeric_limits<float>::quiet_NaN() : 0.0f);
  }
  std::erase_if(problem.matrices, [](const ProblemMatrix &m) { return m.rows == 0; });
  problem.solve = [mask, dense = problem.solve] {
    std::vector<ProblemResult> results = dense();
    for (ProblemResult &result : results)
      if (result.output == "dw") {
        result.exact = mask->gather(result.exact, 0.0);
        result.plain = mask->gather(result.plain, 0.0f);
        result.terms = mask->gather(result.terms, 0.0);
      }
    std::erase_if(results, [](const ProblemResult &r) { return r.exact.empty(); });
    return results;
  };
  return problem;
}

Result<Launched> runSparseMatmul(const VerifySetting &setting, const SparseMatmulCase &c,
                                 const Tensors &tensors) {
  SparseMatmulRequest request{.entry = "sparse_matmul",
                              .attend = c.attend,
                              .pass = c.pass,
                              .dtype = c.dtype,
                              .stream = c.stream,
                              .weights = c.weights,
                              .bias = c.bias,
                              .gelu = c.gelu,
                              .save = c.save,
                              .residual = c.residual,
                              .tokens = c.tile.tokens,
                              .block = c.block,
                              .target = setting.target};
  Result<std::vector<Kernel>> kernels = setting.compile(request);
  if (!kernels)
    return kernels.error();
  Result<SparseMatmul> matmul = SparseMatmul::load(setting.device, std::move(*kernels), request);
  if (!matmul)
    return matmul.error();
  if (Result<void> ready = matmul->prepare(c.in, c.out); !ready)
    return ready.error();
  MatmulCall call = callOf(c, tensors, /*hasWeights=*/!matmul->blocks().empty());
  for (Tensor *blocks : {&call.w, &call.dw})
    blocks->stride[1] = c.block.q * blocks->stride[2];
  return keep(matmul->launch(call), std::move(*matmul));
}

} // namespace sparsec
