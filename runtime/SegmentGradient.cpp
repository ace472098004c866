#include "runtime/SegmentGradient.h"

#include "runtime/Embedding.h"
#include "runtime/Workspace.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace sparsec {
namespace {

using Segments = EmbeddingSegments;

constexpr int64_t kTile = Segments::kTile;

/// Rows of 32-bit words, one after the other.
MatrixArgument ofWords(const Tensor &table, int64_t columns, MatrixArgument::Use use) {
  auto rows = static_cast<int64_t>(table.bytes) / (columns * 4);
  return {.tensor = table, .extent = {rows, columns}, .use = use};
}
MatrixArgument readWords(const Tensor &table, int64_t columns) {
  return ofWords(table, columns, MatrixArgument::Use::Read);
}
MatrixArgument writtenWords(const Tensor &table, int64_t columns) {
  return ofWords(table, columns, MatrixArgument::Use::Written);
}
/// [spans, blocks] as [tiles of blocks, spans, 64].
MatrixArgument byTiles(const Tensor &table, int64_t spans, MatrixArgument::Use use) {
  MatrixArgument argument{
      .tensor = table, .extent = {spans, kTile, table.stride[2] / kTile}, .use = use};
  argument.tensor.stride[1] = kTile;
  return argument;
}

/// Rows as a kernel sees them in slabs.
Tensor inSlabs(Tensor tensor, int64_t sequence, int slab) {
  tensor.stride = {sequence, slab, tensor.stride[2]};
  return tensor;
}

} // namespace

Result<SegmentGradient> SegmentGradient::load(Device &device, std::vector<Kernel> kernels,
                                              const EmbeddingGradientRequest &request) {
  using Names = std::vector<std::string_view>;
  SegmentGradient made;
  made.request = request;
  std::array<std::pair<LoadedKernel *, Names>, 6> all = {{
      {&made.count, {"tokens", "counts", "block_tiles", "spans", "n"}},
      {&made.total, {"counts", "sizes", "order", "keys", "block_tiles", "all_spans"}},
      {&made.place, {"counts", "starts", "sizes", "block_tiles"}},
      {&made.order,
       {"tokens", "starts", "order", "keys", "tiles", "spans", "n", "classes", "sequence_rows"}},
      {&made.parts,
       {"order", "keys", "first_keys", "starts", "sizes", "dx", "gradient", "sums", "work",
        "blocks", "n", "nq", "prior_rows"}},
      {&made.sum, {"starts", "sizes", "sums", "gradient", "blocks", "nq"}},
  }};
  if (kernels.size() != all.size())
    return internalError("expected the six kernels of a gradient by segments");
  for (size_t i = 0; i < all.size(); ++i) {
    Result<LoadedKernel> loaded = LoadedKernel::load(device, std::move(kernels[i]), all[i].second);
    if (!loaded)
      return loaded.error();
    *all[i].first = std::move(*loaded);
  }
  return made;
}

Result<void> SegmentGradient::prepare(int64_t batch, int64_t n, int64_t rows) {
  Sizes made;
  made.ofPositions = tilesOf(n, kTile);
  made.ofSequence = tilesOf(made.ofPositions, Segments::kSpanTiles);
  made.spans = batch * made.ofSequence;
  made.blocks = tilesOf(rows, kTile);
  made.blockTiles = tilesOf(made.blocks, kTile);
  // Each block that has tokens may have a tile that is not full; one tile of blocks goes with one.
  int64_t positions = batch * n;
  made.tiles = std::max(positions / kTile + std::min(made.blocks, positions), made.blockTiles);
  made.parts = tilesOf(made.tiles, Segments::kPartTiles);
  int64_t slabs = tilesOf(request.columns, request.slab());
  if (std::max({made.tiles * kTile, made.spans * made.blockTiles,
                (made.blocks + made.parts) * slabs}) > INT32_MAX)
    return inputError(fmt::format("expected fewer than 2^31 places and work items for {} sequences "
                                  "of {} and {} rows",
                                  batch, n, rows));
  sizes = made;
  return {};
}

SegmentGradient::Memory SegmentGradient::memoryAt(DeviceAddress workspace) const {
  Memory memory;
  auto take = [&](int64_t rows, int64_t columns) {
    Tensor table = matrix(workspace + memory.bytes, rows, columns, 4);
    memory.bytes += alignedBytes(table.bytes);
    return table;
  };
  memory.counts = take(sizes.spans, sizes.blockTiles * kTile);
  memory.starts = take(sizes.spans, sizes.blockTiles * kTile);
  memory.lengths = take(sizes.blockTiles, kTile);
  memory.order = take(sizes.tiles, kTile);
  memory.keys = take(sizes.tiles, kTile);
  memory.sums = take(sizes.parts * kTile, request.columns);
  return memory;
}

size_t SegmentGradient::workspaceBytes() const {
  return memoryAt(0).bytes;
}

Result<void> SegmentGradient::sort(const EmbeddingGradientCall &call, const Memory &memory,
                                   int64_t sequenceRows) const {
  using Use = MatrixArgument::Use;
  auto i32 = [](int64_t value) { return static_cast<int32_t>(value); };
  MatrixArgument tokens = {
      .tensor = call.index, .extent = {call.batch, call.n}, .elementBytes = bytes(request.index)};
  tokens.tensor.stride[2] = call.index.stride[0];
  int32_t blockTiles = i32(sizes.blockTiles), ofSequence = i32(sizes.ofSequence);
  int32_t n = i32(call.n), classes = i32(call.rows);
  int64_t spans = sizes.spans;
  if (Result<void> ok =
          count.launch(spans * blockTiles, {tokens, byTiles(memory.counts, spans, Use::Written),
                                            blockTiles, ofSequence, n});
      !ok)
    return ok;
  if (Result<void> ok = total.launch(
          sizes.tiles, {byTiles(memory.counts, spans, Use::Read),
                        writtenWords(memory.lengths, kTile), writtenWords(memory.order, kTile),
                        writtenWords(memory.keys, kTile), blockTiles, i32(spans)});
      !ok)
    return ok;
  if (Result<void> ok =
          place.launch(spans * blockTiles, {byTiles(memory.counts, spans, Use::Read),
                                            byTiles(memory.starts, spans, Use::Written),
                                            readWords(memory.lengths, kTile), blockTiles});
      !ok)
    return ok;
  int64_t blocks = blockTiles * kTile, places = sizes.tiles * kTile;
  return order.launch(call.batch * sizes.ofPositions,
                      {tokens, readWords(memory.starts, blocks), writtenWords(memory.order, places),
                       writtenWords(memory.keys, places), i32(sizes.ofPositions), ofSequence, n,
                       classes, i32(sequenceRows)});
}

Result<void> SegmentGradient::add(const EmbeddingGradientCall &call, const Memory &memory,
                                  int64_t sequenceRows) const {
  auto i32 = [](int64_t value) { return static_cast<int32_t>(value); };
  int64_t columns = request.columns, slabs = tilesOf(columns, request.slab());
  int64_t work = sizes.blocks + sizes.parts, ofDx = (call.batch - 1) * sequenceRows + call.n;
  int64_t blocks = sizes.blockTiles * kTile, places = sizes.tiles * kTile;
  int32_t rows = i32(call.rows);
  MatrixArgument gradient =
      written(inSlabs(call.gradient, 0, request.slab()), {rows, columns}, DType::F32);
  Tensor sums = inSlabs(memory.sums, kTile * columns, request.slab());
  MatrixArgument starts = readWords(memory.starts, blocks);
  MatrixArgument lengths = readWords(memory.lengths, blocks);
  if (Result<void> ok = parts.launch(
          work * slabs, {readWords(memory.order, places), readWords(memory.keys, kTile),
                         readWords(memory.keys, places), starts, lengths,
                         read(inSlabs(call.dx, 0, request.slab()), {ofDx, columns}, request.dtype),
                         gradient, writtenWords(sums, columns), i32(work), i32(sizes.blocks),
                         i32(ofDx), rows, call.accumulate ? rows : 0});
      !ok)
    return ok;
  return sum.launch(sizes.blocks * slabs,
                    {starts, lengths, readWords(sums, columns), gradient, i32(sizes.blocks), rows});
}

Result<void> SegmentGradient::launch(const EmbeddingGradientCall &call,
                                     DeviceAddress workspace) const {
  int64_t sequenceRows = 0; // of one sequence not asked for
  if (call.batch > 1) {
    int64_t apart = call.dx.stride[0], row = call.dx.stride[2];
    if (row == 0 || apart % row != 0)
      return inputError(fmt::format("dx: expected sequences a multiple of its rows' {} elements "
                                    "apart, found {}",
                                    row, apart));
    sequenceRows = apart / row;
    if (sequenceRows * call.batch > INT32_MAX)
      return inputError(fmt::format("dx: expected sequences within 2^31 rows, found {} of them {} "
                                    "rows apart",
                                    call.batch, sequenceRows));
  }
  Memory memory = memoryAt(workspace);
  if (Result<void> ok = sort(call, memory, sequenceRows); !ok)
    return ok;
  return add(call, memory, sequenceRows);
}

} // namespace sparsec
