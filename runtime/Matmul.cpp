#include "runtime/Matmul.h"

#include <fmt/format.h>

namespace sparsec {

using Pass = MatmulRequest::Pass;

namespace {

using Names = std::initializer_list<std::string_view>;

Result<std::vector<LoadedKernel>> loadAll(Device &device, std::vector<Kernel> kernels,
                                          std::initializer_list<Names> names) {
  std::vector<LoadedKernel> all;
  for (const Names *each = names.begin(); Kernel & kernel : kernels) {
    Result<LoadedKernel> loaded = LoadedKernel::load(device, std::move(kernel), *each++);
    if (!loaded)
      return loaded.error();
    all.push_back(std::move(*loaded));
  }
  return all;
}

/// As a kernel takes it; what does not fit has been refused.
int32_t number(int64_t value) {
  return static_cast<int32_t>(value);
}

Result<void> checkSizes(const MatmulCall &call) {
  constexpr int64_t kMost = int64_t(1) << 30; // a tile further on is in 32 bits too
  for (auto [name, size] : {std::pair{"tokens", call.tokens}, {"in", call.in}, {"out", call.out}})
    if (size < 0 || size > kMost)
      return inputError(fmt::format("{}: expected 0 to 2^30, found {}", name, size));
  return {};
}

} // namespace

Result<Matmul> Matmul::load(Device &device, std::vector<Kernel> kernels,
                            const MatmulRequest &request) {
  size_t count = request.pass != Pass::WeightGradient ? 1 : request.bias ? 5 : 3;
  if (kernels.size() != count)
    return internalError(fmt::format("expected the {} kernels of a {}", count, name(request.pass)));
  auto loadThem = [&](std::initializer_list<Names> names) {
    return loadAll(device, std::move(kernels), names);
  };
  Result<std::vector<LoadedKernel>> loaded =
      request.pass == Pass::Forward ? loadThem({{"x", "w", "bias", "residual", "u", "y", "tokens",
                                                 "out", "in", "across", "group", "steps"}})
      : request.pass == Pass::InputGradient
          ? loadThem({{"dy", "w", "u", "dx", "tokens", "out", "in", "across", "group", "steps",
                       "prior_tokens"}})
          : loadThem(
                {{"dy", "x", "dw", "tokens", "out", "in", "across", "group", "steps", "prior_out"},
                 {"dy", "x", "parts", "tokens", "out", "in", "across", "group", "steps", "tiles",
                  "range_steps", "part_rows"},
                 {"parts", "dw", "out", "in", "across", "tiles", "ranges", "part_rows",
                  "prior_out"},
                 {"dy", "parts", "tokens", "out", "across", "steps", "range_steps"},
                 {"parts", "db", "out", "ranges", "range_tiles", "prior_out"}});
  if (!loaded)
    return loaded.error();
  Matmul made;
  made.device = &device;
  made.asked = request;
  made.kernels = std::move(*loaded);
  return made;
}

Matmul::Ranges Matmul::rangesOf(int64_t tokens, int64_t in, int64_t out) const {
  MatmulRequest::Tile tile = tileOf(asked);
  Ranges ranges{.steps = tilesOf(tokens, tile.tokens),
                .tilesDown = tilesOf(out, tile.out),
                .across = tilesOf(in, tile.in)};
  ranges.each = tilesOf(ranges.steps, tokenRanges(asked, tokens, out, in));
  ranges.count = ranges.each ? tilesOf(ranges.steps, ranges.each) : 1;
  int64_t ofWeights = ranges.count > 1 ? ranges.count * ranges.tilesDown * tile.out * in : 0;
  if (asked.bias) {
    ranges.biasEach = tilesOf(ranges.steps, biasRanges(asked, tokens, out, in));
    ranges.biasCount = ranges.biasEach ? tilesOf(ranges.steps, ranges.biasEach) : 1;
  }
  ranges.partBytes = size_t(ofWeights + ranges.biasCount * out) * 4;
  return ranges;
}

size_t Matmul::workspaceBytes(int64_t tokens, int64_t in, int64_t out) const {
  return asked.pass == Pass::WeightGradient ? rangesOf(tokens, in, out).partBytes : 0;
}

Result<void> Matmul::reserve(int64_t tokens, int64_t in, int64_t out) {
  return workspace.reserve(*device, workspaceBytes(tokens, in, out));
}

Result<void> Matmul::launch(const MatmulCall &call) {
  if (Result<void> ok = checkSizes(call); !ok)
    return ok;
  switch (asked.pass) {
  case Pass::Forward:
    return forward(call);
  case Pass::InputGradient:
    return inputGradient(call);
  case Pass::WeightGradient:
    break;
  }
  Result<DeviceAddress> parts =
      workspace.forCall(*device, call.workspace, workspaceBytes(call.tokens, call.in, call.out));
  if (!parts)
    return parts.error();
  if (Result<void> ok = weightGradient(call, *parts); !ok)
    return ok;
  return asked.bias ? biasGradient(call, *parts) : Result<void>();
}

Result<void> Matmul::forward(const MatmulCall &call) const {
  auto [tokens, in, out] = std::tuple(call.tokens, call.in, call.out);
  MatmulRequest::Tile tile = tileOf(asked);
  int64_t across = tilesOf(out, tile.out);
  DType stream = asked.residual ? asked.stream : asked.dtype;
  return kernels[0].launch(
      tilesOf(tokens, tile.tokens) * across,
      {read(call.x, {tokens, in}, asked.dtype), read(call.w, {out, in}, asked.dtype),
       read(call.bias, {1, out}, DType::F32), read(call.residual, {tokens, out}, stream),
       written(call.u, {tokens, out}, asked.dtype), written(call.y, {tokens, out}, stream),
       number(tokens), number(out), number(in), number(across), number(rowsTogether(asked)),
       number(tilesOf(in, tile.in))});
}

Result<void> Matmul::inputGradient(const MatmulCall &call) const {
  auto [tokens, in, out] = std::tuple(call.tokens, call.in, call.out);
  MatmulRequest::Tile tile = tileOf(asked);
  int64_t across = tilesOf(in, tile.in);
  return kernels[0].launch(
      tilesOf(tokens, tile.tokens) * across,
      {read(call.dy, {tokens, out}, asked.dtype), read(call.w, {out, in}, asked.dtype),
       read(call.u, {tokens, in}, asked.dtype), written(call.dx, {tokens, in}, asked.dtype),
       number(tokens), number(out), number(in), number(across), number(rowsTogether(asked)),
       number(tilesOf(out, tile.out)), number(call.accumulate ? tokens : 0)});
}

Result<void> Matmul::weightGradient(const MatmulCall &call, DeviceAddress parts) const {
  auto [tokens, in, out] = std::tuple(call.tokens, call.in, call.out);
  Ranges ranges = rangesOf(tokens, in, out);
  MatrixArgument dy = read(call.dy, {tokens, out}, asked.dtype),
                 x = read(call.x, {tokens, in}, asked.dtype),
                 dw = written(call.dw, {out, in}, asked.weights);
  int32_t across = number(ranges.across), steps = number(ranges.steps);
  int32_t prior = number(call.accumulate ? out : 0), group = number(rowsTogether(asked));
  int64_t tiles = ranges.tilesDown * ranges.across;
  if (ranges.count == 1)
    return kernels[0].launch(
        tiles, {dy, x, dw, number(tokens), number(out), number(in), across, group, steps, prior});
  int64_t partRows = ranges.count * ranges.tilesDown * tileOf(asked).out;
  if (partRows > INT32_MAX)
    return inputError(
        fmt::format("expected at most 2^31 rows of partial sums, found {}", partRows));
  Tensor sums = matrix(parts, partRows, in, 4);
  if (Result<void> ok = kernels[1].launch(
          tiles * ranges.count,
          {dy, x, written(sums, {partRows, in}, DType::F32), number(tokens), number(out),
           number(in), across, group, steps, number(tiles), number(ranges.each), number(partRows)});
      !ok)
    return ok;
  return kernels[2].launch(tiles,
                           {read(sums, {partRows, in}, DType::F32), dw, number(out), number(in),
                            across, number(tiles), number(ranges.count), number(partRows), prior});
}

/// Its parts lie behind those of dw.
Result<void> Matmul::biasGradient(const MatmulCall &call, DeviceAddress parts) const {
  auto [tokens, in, out] = std::tuple(call.tokens, call.in, call.out);
  Ranges ranges = rangesOf(tokens, in, out);
  int64_t across = tilesOf(out, tileOf(asked).out);
  DeviceAddress behind = parts + ranges.partBytes - size_t(ranges.biasCount * out) * 4;
  Tensor sums = matrix(behind, ranges.biasCount, out, 4);
  if (Result<void> ok = kernels[3].launch(across * ranges.biasCount,
                                          {read(call.dy, {tokens, out}, asked.dtype),
                                           written(sums, {ranges.biasCount, out}, DType::F32),
                                           number(tokens), number(out), number(across),
                                           number(ranges.steps), number(ranges.biasEach)});
      !ok)
    return ok;
  return kernels[4].launch(across, {read(sums, {ranges.biasCount, out}, DType::F32),
                                    written(call.db, {1, out}, DType::F32), number(out),
                                    number(ranges.biasCount),
                                    number(tilesOf(ranges.biasCount, kBiasRangesTogether)),
                                    number(call.accumulate ? out : 0)});
}

} // namespace sparsec
