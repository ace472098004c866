#include "runtime/SparseMatmul.h"

#include "layout/BlockLayout.h"

#include <fmt/format.h>

namespace sparsec {

using Pass = MatmulRequest::Pass;

namespace {

using Names = std::vector<std::string_view>;

int32_t number(int64_t value) {
  return static_cast<int32_t>(value);
}

/// The host's numbers as a kernel takes them.
MatrixArgument numbersOf(const Buffer &buffer) {
  auto count = static_cast<int64_t>(buffer.bytes() / sizeof(int32_t));
  return read(matrix(buffer.address(), 1, count, 4), {1, count}, DType::F32);
}

Result<BlockLayout> layoutOf(const SparseMatmulRequest &request, int64_t in, int64_t out) {
  return BlockLayout::build(
      request.attend, {.nq = out, .nk = in, .blockQ = request.block.q, .blockK = request.block.k});
}

} // namespace

Result<SparseMatmul> SparseMatmul::load(Device &device, std::vector<Kernel> kernels,
                                        const SparseMatmulRequest &request) {
  bool weights = request.pass == Pass::WeightGradient;
  size_t count = !weights ? 2 : request.bias ? 5 : 3;
  if (kernels.size() != count)
    return internalError(fmt::format("expected the {} kernels of a {} of block-sparse weights",
                                     count, name(request.pass)));
  Names masked = {"w", "masked", "row_of", "column_of", "tokens", "out", "in"};
  std::vector<Names> names;
  switch (request.pass) {
  case Pass::Forward:
    names = {{"x", "w", "bias", "residual", "u", "y", "row_starts", "column_of", "tokens", "out",
              "in", "across"},
             masked};
    break;
  case Pass::InputGradient:
    names = {{"dy", "w", "u", "dx", "column_starts", "column_places", "tokens", "out", "in",
              "across", "prior_tokens"},
             masked};
    break;
  case Pass::WeightGradient:
    names = {{"dy", "x", "dw", "row_of", "column_of", "tokens", "out", "in", "steps", "prior_rows"},
             {"dy", "x", "parts", "row_of", "column_of", "tokens", "out", "in", "steps", "live",
              "range_steps"},
             {"parts", "dw", "live", "ranges", "prior_rows"},
             {"dy", "parts", "tokens", "out", "across", "steps", "range_steps"},
             {"parts", "db", "out", "ranges", "range_tiles", "prior_out"}};
    break;
  }
  SparseMatmul made;
  made.device = &device;
  made.asked = request;
  for (size_t i = 0; i < kernels.size(); ++i) {
    Result<LoadedKernel> loaded = LoadedKernel::load(device, std::move(kernels[i]), names[i]);
    if (!loaded)
      return loaded.error();
    made.kernels.push_back(std::move(*loaded));
  }
  return made;
}

//===-- Which blocks are live -----------------------------------------------------------------===//

Result<void> SparseMatmul::prepare(int64_t in, int64_t out) {
  if (readyIn == in && readyOut == out)
    return {};
  Result<BlockLayout> layout = layoutOf(asked, in, out);
  if (!layout)
    return layout.error();
  if (readyIn >= 0) // an earlier launch may still read what is there
    if (Result<void> idle = device->synchronize(); !idle)
      return idle;
  readyIn = -1;
  list.clear();
  BlockLayout columns = layout->transpose();
  std::vector<int32_t> rowStarts = {0}, rowOf, columnOf, columnStarts = {0}, columnPlaces;
  for (int64_t row = 0; row < layout->rows(); ++row) {
    for (const BlockRun &run : layout->row(row))
      for (int32_t column = run.begin; column < run.end; ++column) {
        list.push_back({number(row), column});
        rowOf.push_back(number(row)), columnOf.push_back(column);
      }
    rowStarts.push_back(number(live()));
  }
  for (int64_t column = 0; column < columns.rows(); ++column) {
    for (const BlockRun &run : columns.row(column))
      for (int32_t row = run.begin; row < run.end; ++row) {
        auto first = list.begin() + rowStarts[static_cast<size_t>(row)];
        auto last = list.begin() + rowStarts[static_cast<size_t>(row) + 1];
        auto at = std::ranges::lower_bound(first, last, column, {}, &WeightBlock::column);
        columnPlaces.push_back(row), columnPlaces.push_back(number(at - list.begin()));
      }
    columnStarts.push_back(number(static_cast<int64_t>(columnPlaces.size()) / 2));
  }
  for (auto [buffer, values] : {std::pair{&numbers.rowStarts, &rowStarts},
                                {&numbers.rowOf, &rowOf},
                                {&numbers.columnOf, &columnOf},
                                {&numbers.columnStarts, &columnStarts},
                                {&numbers.columnPlaces, &columnPlaces}}) {
    values->push_back(0); // kernels may form the address of an empty list
    Result<Buffer> uploaded = Buffer::upload(*device, std::as_bytes(std::span(*values)));
    if (!uploaded)
      return uploaded.error();
    *buffer = std::move(*uploaded);
  }
  isWhole = layout->counts().partial == 0;
  readyIn = in, readyOut = out;
  return {};
}

size_t SparseMatmul::residentBytes() const {
  return numbers.rowStarts.heldBytes() + numbers.rowOf.heldBytes() + numbers.columnOf.heldBytes() +
         numbers.columnStarts.heldBytes() + numbers.columnPlaces.heldBytes();
}

SparseMatmul::Ranges SparseMatmul::rangesOf(int64_t tokens) const {
  Ranges ranges{.steps = tilesOfTokens(tokens)};
  ranges.each = tilesOf(ranges.steps, tokenRanges(asked, tokens, live()));
  ranges.count = ranges.each ? tilesOf(ranges.steps, ranges.each) : 1;
  int64_t ofWeights = ranges.count > 1 ? live() * asked.block.q * asked.block.k : 0;
  ranges.partBytes =
      static_cast<size_t>(ranges.count * (ofWeights + (asked.bias ? readyOut : 0))) * sizeof(float);
  return ranges;
}

size_t SparseMatmul::workspaceBytes(int64_t tokens) const {
  if (asked.pass == Pass::WeightGradient)
    return rangesOf(tokens).partBytes;
  return isWhole ? 0
                 : static_cast<size_t>(live() * asked.block.q * asked.block.k * bytes(asked.dtype));
}

//===-- Launches ------------------------------------------------------------------------------===//

MatrixArgument SparseMatmul::blocksOf(const Tensor &tensor, DType type,
                                      MatrixArgument::Use use) const {
  return {.tensor = tensor,
          .extent = {.rows = asked.block.q, .columns = asked.block.k, .matrices = live()},
          .elementBytes = bytes(type),
          .use = use};
}

static Tensor denseBlocks(DeviceAddress address, int64_t count, const Block &block, int bytes) {
  int64_t each = int64_t(block.q) * block.k;
  return {.address = address,
          .bytes = static_cast<size_t>(count * each * bytes),
          .stride = {0, each, block.k}};
}

Result<void> SparseMatmul::launch(const MatmulCall &call) {
  if (Result<void> ok = prepare(call.in, call.out); !ok)
    return ok;
  Result<DeviceAddress> room =
      workspace.forCall(*device, call.workspace, workspaceBytes(call.tokens));
  if (!room)
    return room.error();
  if (asked.pass == Pass::WeightGradient) {
    if (Result<void> ok = weightGradient(call, *room); !ok)
      return ok;
    return asked.bias ? biasGradient(call, *room) : Result<void>();
  }
  Result<Tensor> w = weights(call, *room);
  if (!w)
    return w.error();
  return asked.pass == Pass::Forward ? forward(call, *w) : inputGradient(call, *w);
}

Result<Tensor> SparseMatmul::weights(const MatmulCall &call, DeviceAddress room) const {
  if (isWhole || live() == 0)
    return call.w;
  constexpr int64_t kRows = 16; // of an item
  Tensor masked = denseBlocks(room, live(), asked.block, bytes(asked.dtype));
  Result<void> launched = kernels[1].launch(
      live() * asked.block.q / kRows,
      {blocksOf(call.w, asked.dtype, MatrixArgument::Use::Read),
       blocksOf(masked, asked.dtype, MatrixArgument::Use::Written), numbersOf(numbers.rowOf),
       numbersOf(numbers.columnOf), number(call.tokens), number(call.out), number(call.in)});
  if (!launched)
    return launched.error();
  return masked;
}

Result<void> SparseMatmul::forward(const MatmulCall &call, const Tensor &w) const {
  auto [tokens, in, out] = std::tuple(call.tokens, call.in, call.out);
  int64_t across = tilesOf(out, asked.block.q);
  DType stream = asked.residual ? asked.stream : asked.dtype;
  return kernels[0].launch(
      tilesOfTokens(tokens) * across,
      {read(call.x, {tokens, in}, asked.dtype), blocksOf(w, asked.dtype, MatrixArgument::Use::Read),
       read(call.bias, {1, out}, DType::F32), read(call.residual, {tokens, out}, stream),
       written(call.u, {tokens, out}, asked.dtype), written(call.y, {tokens, out}, stream),
       numbersOf(numbers.rowStarts), numbersOf(numbers.columnOf), number(tokens), number(out),
       number(in), number(across)});
}

Result<void> SparseMatmul::inputGradient(const MatmulCall &call, const Tensor &w) const {
  auto [tokens, in, out] = std::tuple(call.tokens, call.in, call.out);
  int64_t across = tilesOf(in, asked.block.k);
  return kernels[0].launch(
      tilesOfTokens(tokens) * across,
      {read(call.dy, {tokens, out}, asked.dtype),
       blocksOf(w, asked.dtype, MatrixArgument::Use::Read), read(call.u, {tokens, in}, asked.dtype),
       written(call.dx, {tokens, in}, asked.dtype), numbersOf(numbers.columnStarts),
       numbersOf(numbers.columnPlaces), number(tokens), number(out), number(in), number(across),
       number(call.accumulate ? tokens : 0)});
}

Result<void> SparseMatmul::weightGradient(const MatmulCall &call, DeviceAddress parts) const {
  auto [tokens, in, out] = std::tuple(call.tokens, call.in, call.out);
  if (live() == 0)
    return {};
  Ranges ranges = rangesOf(tokens);
  using enum MatrixArgument::Use;
  MatrixArgument dy = read(call.dy, {tokens, out}, asked.dtype),
                 x = read(call.x, {tokens, in}, asked.dtype),
                 dw = blocksOf(call.dw, asked.weights, Written), rows = numbersOf(numbers.rowOf),
                 columns = numbersOf(numbers.columnOf);
  int32_t prior = number(call.accumulate ? asked.block.q : 0);
  if (ranges.count == 1)
    return kernels[0].launch(live(), {dy, x, dw, rows, columns, number(tokens), number(out),
                                      number(in), number(ranges.steps), prior});
  int64_t count = live() * ranges.count;
  if (count > INT32_MAX)
    return inputError(fmt::format("expected at most 2^31 - 1 partial sums, found {}", count));
  MatrixArgument sums{
      .tensor = denseBlocks(parts, count, asked.block, 4),
      .extent = {.rows = asked.block.q, .columns = asked.block.k, .matrices = count},
      .use = Written};
  if (Result<void> ok = kernels[1].launch(count, {dy, x, sums, rows, columns, number(tokens),
                                                  number(out), number(in), number(ranges.steps),
                                                  number(live()), number(ranges.each)});
      !ok)
    return ok;
  sums.use = Read;
  return kernels[2].launch(live(), {sums, dw, number(live()), number(ranges.count), prior});
}

/// Its parts lie behind those of dw.
Result<void> SparseMatmul::biasGradient(const MatmulCall &call, DeviceAddress parts) const {
  int64_t tokens = call.tokens, out = call.out;
  Ranges ranges = rangesOf(tokens);
  int64_t across = tilesOf(out, asked.block.q);
  auto ofBias = static_cast<size_t>(ranges.count * out) * sizeof(float);
  Tensor sums = matrix(parts + ranges.partBytes - ofBias, ranges.count, out, 4);
  if (Result<void> ok =
          kernels[3].launch(across * ranges.count, {read(call.dy, {tokens, out}, asked.dtype),
                                                    written(sums, {ranges.count, out}, DType::F32),
                                                    number(tokens), number(out), number(across),
                                                    number(ranges.steps), number(ranges.each)});
      !ok)
    return ok;
  return kernels[4].launch(across, {read(sums, {ranges.count, out}, DType::F32),
                                    written(call.db, {1, out}, DType::F32), number(out),
                                    number(ranges.count),
                                    number(tilesOf(ranges.count, kBiasRangesTogether)),
                                    number(call.accumulate ? out : 0)});
}

} // namespace sparsec
