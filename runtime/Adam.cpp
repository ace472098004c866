#include "runtime/Adam.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

constexpr int64_t kRow = AdamRequest::kRow;
constexpr int32_t kDecays = 1 << 8; ///< dialect/ops/adam/Adam.cpp
/// Partial sums of the norm: enough to fill a GPU, few enough for one thread block to add up; of a
/// few tiles each, where there are as many.
constexpr int64_t kMostShares = 512, kTilesOfShare = 4;

int64_t rowsOf(int64_t elements) {
  return tilesOf(elements, kRow);
}

Result<std::vector<int32_t>> infoOfRows(std::span<const AdamSegment> segments) {
  std::vector<int32_t> info;
  for (const AdamSegment &segment : segments) {
    auto expected = static_cast<int64_t>(info.size()) * kRow;
    if (segment.offset != expected || segment.length < 1)
      return inputError(fmt::format("segments: expected one of at least 1 element at {}, the first "
                                    "free row of {}, found one of {} at {}",
                                    expected, kRow, segment.length, segment.offset));
    for (int64_t left = segment.length; left > 0; left -= kRow)
      info.push_back(static_cast<int32_t>(std::min(left, kRow)) | (segment.decay ? kDecays : 0));
  }
  if (info.empty())
    return inputError("segments: expected at least one");
  return info;
}

} // namespace

std::vector<AdamSegment> adamSegments(std::span<const AdamLength> lengths) {
  std::vector<AdamSegment> segments;
  int64_t offset = 0;
  for (const AdamLength &each : lengths) {
    segments.push_back({.offset = offset, .length = each.length, .decay = each.decay});
    offset += rowsOf(each.length) * kRow;
  }
  return segments;
}

int64_t flatLength(std::span<const AdamSegment> segments) {
  return segments.empty() ? 0 : rowsOf(segments.back().offset + segments.back().length) * kRow;
}

Result<Adam> Adam::load(Device &device, std::vector<Kernel> kernels, const AdamRequest &request,
                        std::span<const AdamSegment> segments) {
  if (kernels.size() != 3)
    return internalError("expected the three kernels of Adam");
  Result<std::vector<int32_t>> info = infoOfRows(segments);
  if (!info)
    return info.error();
  Adam made;
  made.request = request;
  made.rows = static_cast<int64_t>(info->size());
  int64_t tiles = tilesOf(made.rows, request.tileRows());
  made.share = std::max(tilesOf(tiles, kMostShares), std::min(tiles, kTilesOfShare));
  made.shares = tilesOf(tiles, made.share);
  Result<Buffer> uploaded = Buffer::upload(device, std::as_bytes(std::span(*info)));
  if (!uploaded)
    return uploaded.error();
  made.rowInfo = std::move(*uploaded);
  Result<Buffer> parts = Buffer::allocate(device, size_t(made.shares * kRow) * sizeof(float));
  if (!parts)
    return parts.error();
  made.parts = std::move(*parts);
  auto load = [&](LoadedKernel &to, Kernel &from,
                  std::initializer_list<std::string_view> names) -> Result<void> {
    Result<LoadedKernel> loaded = LoadedKernel::load(device, std::move(from), names);
    if (!loaded)
      return loaded.error();
    to = std::move(*loaded);
    return {};
  };
  if (Result<void> ok =
          load(made.norm, kernels[0], {"gradients", "row_info", "reals", "parts", "rows", "share"});
      !ok)
    return ok.error();
  if (Result<void> ok =
          load(made.control, kernels[1],
               {"parts", "reals", "integers", "shares", "part_tiles", "rest1", "rest2", "most_norm",
                "growth", "backoff", "least_scale", "most_scale", "interval"});
      !ok)
    return ok.error();
  if (Result<void> ok = load(made.update, kernels[2],
                             {"weights", "gradients", "m", "v", "copy", "row_info", "reals",
                              "integers", "rows", "rest1", "beta2", "rest2", "epsilon", "decay"});
      !ok)
    return ok.error();
  return made;
}

Result<void> Adam::launch(const AdamCall &call) const {
  const AdamSettings &given = call.settings;
  MatrixArgument::Extent flat = {rows, kRow}, ofParts = {shares, kRow}, perRow = {1, rows},
                         ofReals = {1, sizeof(AdamState::Reals) / 4},
                         ofIntegers = {1, sizeof(AdamState::Integers) / 4};
  auto inRows = [](Tensor tensor) {
    tensor.stride = {0, 0, kRow};
    return tensor;
  };
  Tensor info = matrix(rowInfo.address(), 1, rows, 4);
  Tensor sums = matrix(parts.address(), shares, kRow, 4);
  // 1 - beta in f64: f32 would leave a few digits of it.
  auto rest = [](float beta) { return static_cast<float>(1 - static_cast<double>(beta)); };
  MatrixArgument gradients = read(inRows(call.gradients), flat, request.gradients);
  gradients.alignment = 16;
  auto updated = [&](const Tensor &tensor, DType type) {
    MatrixArgument argument = written(inRows(tensor), flat, type);
    argument.alignment = 16;
    return argument;
  };
  Result<void> launched = norm.launch(
      shares, {gradients, read(info, perRow, DType::F32), read(call.reals, ofReals, DType::F32),
               written(sums, ofParts, DType::F32), static_cast<int32_t>(rows),
               static_cast<int32_t>(share)});
  if (!launched)
    return launched;
  launched = control.launch(
      1, {read(sums, ofParts, DType::F32), written(call.reals, ofReals, DType::F32),
          written(call.integers, ofIntegers, DType::F32), static_cast<int32_t>(shares),
          static_cast<int32_t>(tilesOf(shares, request.tileRows())), rest(given.beta1),
          rest(given.beta2), given.mostNorm, given.growth, given.backoff, given.leastScale,
          given.mostScale, given.interval});
  if (!launched)
    return launched;
  return update.launch(
      tilesOf(rows, request.tileRows()),
      {updated(call.weights, DType::F32), gradients, updated(call.m, DType::F32),
       updated(call.v, DType::F32), updated(call.copy, request.copy.value_or(DType::F32)),
       read(info, perRow, DType::F32), read(call.reals, ofReals, DType::F32),
       read(call.integers, ofIntegers, DType::F32), static_cast<int32_t>(rows), rest(given.beta1),
       given.beta2, rest(given.beta2), given.epsilon, given.decay});
}

} // namespace sparsec
