#include "runtime/Embedding.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

/// What kernels of whole slabs read in runs; of others they ask where they may.
template <class Request>
int alignmentFor(const Request &request, int elementBytes) {
  return request.columns % request.slab() ? elementBytes : 16;
}

/// [sequence, slab, row] of a tensor of rows.
std::array<int64_t, 3> slabStrides(const Tensor &tensor, int slab) {
  return {tensor.stride[0], slab, tensor.stride[2]};
}

Result<void> checkAll(std::initializer_list<Operand> operands) {
  for (const Operand &operand : operands)
    if (Result<void> ok = checkOperand(operand); !ok)
      return ok;
  return {};
}

Result<void> checkLengths(int64_t batch, int64_t n, int64_t rows) {
  if (batch < 0 || n < 0 || rows < 1 || std::max({batch, n, rows}) > INT32_MAX / 2)
    return inputError(fmt::format("expected lengths below 2^30 and a row of the table at least, "
                                  "found {} sequences of {}, {} rows",
                                  batch, n, rows));
  return {};
}

Result<void> uploadIndices(Device &device, std::span<const int32_t> values, Buffer &to) {
  Result<Buffer> uploaded = Buffer::upload(device, std::as_bytes(values));
  if (!uploaded)
    return uploaded.error();
  to = std::move(*uploaded);
  return {};
}

} // namespace

Result<EmbeddingKernel> EmbeddingKernel::load(Device &device, Kernel kernel) {
  auto executable = device.load(kernel.code, kernel.entry);
  if (!executable)
    return executable.error();
  return EmbeddingKernel{std::move(kernel), std::move(*executable)};
}

//===-- Forward -------------------------------------------------------------------------------===//

Result<Embedding> Embedding::load(Device &device, std::vector<Kernel> kernels,
                                  const EmbeddingRequest &request,
                                  std::vector<PositionTable> positions) {
  if (kernels.size() != 1 || positions.size() != size_t(request.positions))
    return internalError("expected the kernel of an embedding, and its position tables");
  Result<EmbeddingKernel> forward = EmbeddingKernel::load(device, std::move(kernels[0]));
  if (!forward)
    return forward.error();
  Embedding made;
  made.device = &device;
  made.request = request;
  made.positions = std::move(positions);
  made.forward = std::move(*forward);
  return made;
}

Result<void> Embedding::prepare(int64_t n) {
  if (readyFor == n || positions.empty())
    return {};
  std::vector<int32_t> all;
  for (const PositionTable &table : positions) {
    Result<std::vector<int32_t>> values = indicesOf(table.index, n, table.rows);
    if (!values)
      return values.error();
    all.insert(all.end(), values->begin(), values->end());
  }
  if (Result<void> idle = device->synchronize(); !idle) // an earlier launch may read what goes
    return idle;
  if (Result<void> ok = uploadIndices(*device, all, indices); !ok)
    return ok;
  readyFor = n;
  return {};
}

Result<void> Embedding::check(const EmbeddingCall &call) const {
  int64_t columns = request.columns;
  if (Result<void> ok = checkLengths(call.batch, call.n, call.classes); !ok)
    return ok;
  if (call.positions.size() != positions.size())
    return inputError(fmt::format("expected {} position tables, found {}", positions.size(),
                                  call.positions.size()));
  int ofTables = bytes(request.tables), ofX = bytes(request.dtype), ofToken = bytes(request.tokens);
  Operand x{"x", call.x, {call.batch, 1, call.n}, columns, ofX, alignmentFor(request, ofX)};
  if (Result<void> ok =
          checkAll({{"tokens", call.tokens, {call.batch, 1, 1}, call.n, ofToken, ofToken},
                    {"table",
                     call.table,
                     {1, 1, call.classes},
                     columns,
                     ofTables,
                     alignmentFor(request, ofTables)},
                    x});
      !ok)
    return ok;
  for (size_t i = 0; i < positions.size(); ++i)
    if (Result<void> ok = checkAll({{fmt::format("positions[{}]", i),
                                     call.positions[i],
                                     {1, 1, positions[i].rows},
                                     columns,
                                     ofTables,
                                     alignmentFor(request, ofTables)}});
        !ok)
      return ok;
  return checkDisjoint(x);
}

Result<void> Embedding::launch(const EmbeddingCall &call) {
  if (call.batch == 0 || call.n == 0)
    return {};
  if (Result<void> ok = check(call); !ok)
    return ok;
  if (Result<void> ok = prepare(call.n); !ok)
    return ok;
  Arguments arguments(forward.kernel.signature);
  auto set = [&](const std::string &name, const Tensor &tensor) {
    arguments.setView(forward.view(name), tensor.address, slabStrides(tensor, request.slab()));
  };
  arguments.setView(forward.view("tokens"), call.tokens.address,
                    std::array<int64_t, 1>{call.tokens.stride[0]});
  set("table", call.table);
  arguments.setView(forward.view("indices"), indices.address(), std::array<int64_t, 1>{call.n});
  for (size_t i = 0; i < positions.size(); ++i)
    set("position" + std::to_string(i), call.positions[i]);
  set("x", call.x);
  int64_t tiles = tilesOf(call.n, EmbeddingRequest::kTileRows);
  int64_t slabs = tilesOf(request.columns, request.slab());
  int64_t items = tiles * slabs * call.batch;
  if (items > INT32_MAX)
    return inputError(fmt::format("expected at most 2^31 - 1 work items, found {}", items));
  for (auto [name, value] : {std::pair{"items", items},
                             {"tiles", tiles},
                             {"slabs", slabs},
                             {"n", call.n},
                             {"classes", call.classes}})
    arguments.set(forward.slot(name), static_cast<int32_t>(value));
  const void *parameters[] = {arguments.data()};
  return device->launch(*forward.executable, launchShape(forward.kernel, items, 1, 1), parameters);
}

//===-- The gradient of a table ---------------------------------------------------------------===//

Result<EmbeddingGradient> EmbeddingGradient::load(Device &device, std::vector<Kernel> kernels,
                                                  const EmbeddingGradientRequest &request,
                                                  std::optional<Expr> index) {
  if (index && (request.index != IndexType::I32 || request.sorted))
    return internalError("positions have indices of i32, which are not sorted");
  EmbeddingGradient made;
  made.device = &device;
  made.request = request;
  made.index = std::move(index);
  if (request.sorted) {
    Result<SegmentGradient> segments = SegmentGradient::load(device, std::move(kernels), request);
    if (!segments)
      return segments.error();
    made.segments = std::move(*segments);
    return made;
  }
  if (kernels.size() != 2)
    return internalError("expected both kernels of an embedding's gradient");
  for (auto [kernel, to] : {std::pair{&kernels[0], &made.folds}, {&kernels[1], &made.sums}}) {
    Result<EmbeddingKernel> loaded = EmbeddingKernel::load(device, std::move(*kernel));
    if (!loaded)
      return loaded.error();
    *to = std::move(*loaded);
  }
  return made;
}

Result<void> EmbeddingGradient::prepare(int64_t batch, int64_t n, int64_t rows) {
  Lengths asked{batch, n, rows};
  if (ready == asked)
    return {};
  if (segments) {
    if (Result<void> ok = segments->prepare(batch, n, rows); !ok)
      return ok;
    ready = asked;
    return {};
  }
  if (Result<void> idle = device->synchronize(); !idle) // an earlier launch may read what goes
    return idle;
  ready.reset();
  Expr attend = leaf(Op::True);
  if (index) {
    Result<std::vector<int32_t>> values = indicesOf(*index, n, rows);
    if (!values)
      return values.error();
    if (Result<void> ok = uploadIndices(*device, *values, indices); !ok)
      return ok;
    attend = takesRow(*index);
  }
  int64_t slabs = tilesOf(request.columns, request.slab());
  bool takesForms = folds.kernel.signature.find("row_forms") != nullptr;
  Result<LaunchNumbers> worked = launchNumbers(
      attend, {.nq = rows, .nk = n, .blockQ = request.block.q, .blockK = request.block.k}, {}, {},
      {.count = slabs}, takesForms ? BlockSource::Auto : BlockSource::Tables);
  if (!worked)
    return worked.error();
  Result<UploadedNumbers> uploaded = upload(*device, std::move(*worked));
  if (!uploaded)
    return uploaded.error();
  numbers = std::move(*uploaded);
  // As many work items as fill a GPU, if there are batches for them.
  constexpr int64_t kItems = 512;
  parts = std::clamp<int64_t>(tilesOf(kItems, numbers.rowTiles * slabs), 1, batch);
  parts = tilesOf(batch, tilesOf(batch, parts));
  ready = asked;
  return {};
}

size_t EmbeddingGradient::workspaceBytes(bool accumulates) const {
  if (ready && segments)
    return segments->workspaceBytes();
  if (!ready || (parts == 1 && !accumulates))
    return 0;
  return size_t(parts * ready->rows * request.columns) * sizeof(float);
}

Result<void> EmbeddingGradient::check(const EmbeddingGradientCall &call) const {
  int64_t columns = request.columns;
  int ofDx = bytes(request.dtype), ofIndex = bytes(request.index);
  if (Result<void> ok = checkLengths(call.batch, call.n, call.rows); !ok)
    return ok;
  if (call.batch == 0 || call.n == 0)
    return inputError("expected at least one sequence of one position, found none");
  Operand gradient{"gradient", call.gradient,           {1, 1, call.rows}, columns,
                   4,          alignmentFor(request, 4)};
  if (Result<void> ok = checkAll(
          {{"dx", call.dx, {call.batch, 1, call.n}, columns, ofDx, alignmentFor(request, ofDx)},
           gradient});
      !ok)
    return ok;
  if (!index)
    if (Result<void> ok =
            checkAll({{"index", call.index, {call.batch, 1, 1}, call.n, ofIndex, ofIndex}});
        !ok)
      return ok;
  return checkDisjoint(gradient);
}

/// The sums of each part, or where there is one the gradient itself.
Result<void> EmbeddingGradient::fold(const EmbeddingGradientCall &call, const Tensor &to) {
  Arguments arguments(folds.kernel.signature);
  int64_t columns = request.columns, slabs = tilesOf(columns, request.slab());
  arguments.setView(folds.view("index"), index ? indices.address() : call.index.address,
                    std::array<int64_t, 1>{index ? 0 : call.index.stride[0]});
  arguments.setView(folds.view("dx"), call.dx.address, slabStrides(call.dx, request.slab()));
  arguments.setView(folds.view("sums"), to.address, slabStrides(to, request.slab()));
  for (auto [name, buffer] : {std::pair{"row_forms", &numbers.forms},
                              {"block_offsets", &numbers.offsets},
                              {"block_columns", &numbers.columns},
                              {"row_order", &numbers.rowOrder}})
    arguments.setPointer(folds.slot(name), buffer->address());
  for (auto [name, value] : {std::pair{"n", call.n},
                             {"nq", call.rows},
                             {"batch", call.batch},
                             {"share", tilesOf(call.batch, parts)},
                             {"head_first", 0},
                             {"head_step", 1},
                             {"layout_stride", numbers.rowsPerHead},
                             {"form_stride", numbers.formStride}})
    arguments.set(folds.slot(name), static_cast<int32_t>(value));
  const void *parameters[] = {arguments.data()};
  return device->launch(*folds.executable,
                        launchShape(folds.kernel, numbers.rowTiles, slabs, parts), parameters);
}

Result<void> EmbeddingGradient::sum(const EmbeddingGradientCall &call, const Tensor &from) {
  Arguments arguments(sums.kernel.signature);
  int64_t columns = request.columns, slabs = tilesOf(columns, request.slab());
  int64_t tiles = tilesOf(call.rows, request.block.q);
  arguments.setView(sums.view("sums"), from.address, slabStrides(from, request.slab()));
  arguments.setView(sums.view("gradient"), call.gradient.address,
                    slabStrides(call.gradient, request.slab()));
  for (auto [name, value] : {std::pair{"items", tiles * slabs},
                             {"tiles", tiles},
                             {"nq", call.rows},
                             {"prior_rows", call.accumulate ? call.rows : 0},
                             {"parts", parts}})
    arguments.set(sums.slot(name), static_cast<int32_t>(value));
  const void *parameters[] = {arguments.data()};
  return device->launch(*sums.executable, launchShape(sums.kernel, tiles * slabs, 1, 1),
                        parameters);
}

Result<void> EmbeddingGradient::launch(const EmbeddingGradientCall &call) {
  if (Result<void> ok = check(call); !ok)
    return ok;
  if (Result<void> ok = prepare(call.batch, call.n, call.rows); !ok)
    return ok;
  if (!segments && parts == 1 && !call.accumulate)
    return fold(call, call.gradient);
  Result<DeviceAddress> partial =
      workspace.forCall(*device, call.workspace, workspaceBytes(call.accumulate));
  if (!partial)
    return partial.error();
  if (segments)
    return segments->launch(call, *partial);
  Tensor to{.address = *partial, .stride = {call.rows * request.columns, 0, request.columns}};
  if (Result<void> ok = fold(call, to); !ok)
    return ok;
  return sum(call, to);
}

} // namespace sparsec
