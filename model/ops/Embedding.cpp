#include "runtime/Embedding.h"

#include "model/ops/Operations.h"
#include "patterns/Evaluate.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

/// Rows of sequences of n tokens.
Tensor bySequence(const Places &at, const BufferView &matrix, int64_t n) {
  Tensor tensor = at.tensor(matrix);
  tensor.stride = {n * matrix.stride, 0, matrix.stride};
  return tensor;
}

/// A table from row `row` on.
Tensor fromRow(Tensor table, int64_t row, int64_t columns) {
  auto skipped = static_cast<size_t>(row * columns) * sizeof(float);
  table.address += skipped;
  table.bytes -= skipped;
  return table;
}

/// The gradient of one table.
struct LoadedGradient {
  std::shared_ptr<EmbeddingGradient> gradient;
  LoadedCall call;
};
Result<LoadedGradient> loadGradient(Loader &loader, int64_t columns, int64_t rows,
                                    const std::optional<Expr> &index,
                                    const CallOperation &operation) {
  EmbeddingGradientRequest request;
  request.entry = "embedding_gradient";
  request.columns = columns;
  request.dtype = DType::F32;
  request.sorted = !index && rows > EmbeddingGradientRequest::kMostOneHot;
  request.target = loader.machine().target;
  // What a position table's holds beside its kernels is that of its index.
  std::string key = Request(request).text() + (index ? sparsec::print(*index) : "tokens");
  auto gradient = loader.shared<EmbeddingGradient>(key, [&]() -> Result<EmbeddingGradient> {
    auto kernels = loader.kernels(request);
    if (!kernels)
      return kernels.error();
    return EmbeddingGradient::load(loader.machine().device, std::move(*kernels), request, index);
  });
  if (!gradient)
    return gradient.error();
  auto call = loader.describe(request, operation, sizeof(float));
  if (!call)
    return call.error();
  return LoadedGradient{*gradient, std::move(*call)};
}

} // namespace

std::vector<Use> EmbeddingWork::uses() const {
  std::vector<Use> all = {
      {Use::Read, "tokens", tokens}, {Use::Read, "table", table}, {Use::Written, "out", out}};
  for (const BufferView &each : tables)
    all.push_back({Use::Read, "positions", each});
  return all;
}

std::string EmbeddingWork::shape() const {
  return fmt::format("{} x {}, {} tables", out.rows, out.columns, 1 + tables.size());
}

Result<LoadedCall> EmbeddingWork::load(Loader &loader) const {
  EmbeddingRequest request;
  request.entry = "embedding";
  request.columns = out.columns;
  request.tables = request.dtype = DType::F32;
  request.tokens = IndexType::I32;
  request.positions = static_cast<int>(positions.size());
  request.target = loader.machine().target;
  std::vector<PositionTable> indices;
  std::string key = Request(request).text();
  for (const PositionConfig &each : positions) {
    indices.push_back(decodes ? PositionTable{integer(0), 1}
                              : PositionTable{each.index, each.rows});
    key += sparsec::print(indices.back().index) + "\n";
  }
  auto embedding = loader.shared<Embedding>(key, [&]() -> Result<Embedding> {
    auto kernels = loader.kernels(request);
    if (!kernels)
      return kernels.error();
    return Embedding::load(loader.machine().device, std::move(*kernels), request, indices);
  });
  if (!embedding)
    return embedding.error();
  int64_t n = decodes ? 1 : length;
  if (Result<void> ready = (*embedding)->prepare(n); !ready)
    return ready.error();
  auto loaded = loader.describe(request, *this, sizeof(float));
  if (loaded)
    loaded->bind = [this, n, embedding = *embedding](const Places &at) {
      return bind(at, n, embedding);
    };
  return loaded;
}

Launch EmbeddingWork::bind(const Places &at, int64_t n,
                           const std::shared_ptr<Embedding> &embedding) const {
  EmbeddingCall call;
  call.batch = out.rows / n, call.n = n;
  call.classes = table.rows;
  call.tokens = at.tensor(tokens);
  call.tokens.stride = {n, 0, 0};
  call.table = at.tensor(table);
  for (const BufferView &each : tables)
    call.positions.push_back(at.tensor(each));
  call.x = bySequence(at, out, n);
  if (!decodes)
    return [embedding, call](int64_t) { return embedding->launch(call); };
  // The row of a table that a position takes is where the table begins.
  return [embedding, call, work = *this](int64_t position) {
    EmbeddingCall moved = call;
    for (size_t i = 0; i < moved.positions.size(); ++i)
      moved.positions[i] = fromRow(moved.positions[i],
                                   evaluateInteger(work.positions[i].index, {.k = position},
                                                   {.nq = work.length, .nk = work.length}),
                                   work.out.columns);
    return embedding->launch(moved);
  };
}

std::vector<Use> EmbeddingBackwardWork::uses() const {
  std::vector<Use> all = {
      {Use::Read, "tokens", tokens}, {Use::Read, "dout", dout}, {Use::Written, "table", table}};
  for (const BufferView &each : tables)
    all.push_back({Use::Written, "positions", each});
  return all;
}

std::string EmbeddingBackwardWork::shape() const {
  return fmt::format("{} x {}, {} tables", dout.rows, dout.columns, 1 + tables.size());
}

Result<LoadedCall> EmbeddingBackwardWork::load(Loader &loader) const {
  int64_t batch = dout.rows / length;
  LoadedCall all;
  std::vector<std::shared_ptr<EmbeddingGradient>> gradients;
  for (size_t i = 0; i <= tables.size(); ++i) {
    std::optional<Expr> index;
    if (i > 0)
      index = positions[i - 1].index;
    const BufferView &of = i == 0 ? table : tables[i - 1];
    auto loaded = loadGradient(loader, dout.columns, of.rows, index, *this);
    if (!loaded)
      return loaded.error();
    EmbeddingGradient &gradient = *loaded->gradient;
    if (Result<void> ready = gradient.prepare(batch, length, of.rows); !ready)
      return ready.error();
    auto workspace = static_cast<int64_t>(gradient.workspaceBytes(sums == Sums::Added));
    all.workspace = std::max(all.workspace, workspace); // launches in turn share it
    all.seconds += loaded->call.seconds;
    all.kernel = fmt::format("{}, {} tables", loaded->call.kernel, 1 + tables.size());
    gradients.push_back(loaded->gradient);
  }
  all.bind = [this, batch, gradients](const Places &at) { return bind(at, batch, gradients); };
  return all;
}

Launch EmbeddingBackwardWork::bind(
    const Places &at, int64_t batch,
    const std::vector<std::shared_ptr<EmbeddingGradient>> &gradients) const {
  std::vector<std::pair<std::shared_ptr<EmbeddingGradient>, EmbeddingGradientCall>> launches;
  for (size_t i = 0; i <= tables.size(); ++i) {
    const BufferView &gradient = i == 0 ? table : tables[i - 1];
    EmbeddingGradientCall call;
    call.batch = batch, call.n = length;
    call.rows = gradient.rows;
    if (i == 0) {
      call.index = at.tensor(tokens);
      call.index.stride = {length, 0, 0};
    }
    call.dx = bySequence(at, dout, length);
    call.gradient = at.tensor(gradient);
    call.accumulate = sums == Sums::Added;
    call.workspace = at.workspace();
    launches.push_back({gradients[i], call});
  }
  return [launches](int64_t) -> Result<void> {
    for (const auto &[gradient, call] : launches)
      if (Result<void> launched = gradient->launch(call); !launched)
        return launched;
    return {};
  };
}

} // namespace sparsec
