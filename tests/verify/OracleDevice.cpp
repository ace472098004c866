#include "tests/verify/OracleDevice.h"

#include "runtime/Float16.h"
#include "tests/verify/PlainArguments.h"
#include "tests/verify/PlainSignature.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace sparsec::testing {

namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();

class OracleExecutable : public Executable {
public:
  explicit OracleExecutable(const AttentionRequest &request) : request(request) {}
  const AttentionRequest &request;
};

DeviceAddress address(const void *pointer) {
  return reinterpret_cast<uintptr_t>(pointer);
}

} // namespace

std::vector<Bug> allBugs() {
  std::vector<Bug> bugs;
  for (int i = static_cast<int>(Bug::None) + 1; i <= static_cast<int>(Bug::Unrepeatable); ++i)
    bugs.push_back(static_cast<Bug>(i));
  return bugs;
}

std::string_view name(Bug bug) {
  switch (bug) {
  case Bug::None:
    return "None";
  case Bug::NoMask:
    return "NoMask";
  case Bug::NoKeyRange:
    return "NoKeyRange";
  case Bug::SkipFullBlocks:
    return "SkipFullBlocks";
  case Bug::FirstBlockTwice:
    return "FirstBlockTwice";
  case Bug::NoRescale:
    return "NoRescale";
  case Bug::RowsPastEnd:
    return "RowsPastEnd";
  case Bug::LastRowMissing:
    return "LastRowMissing";
  case Bug::GapWritten:
    return "GapWritten";
  case Bug::InputWritten:
    return "InputWritten";
  case Bug::NoHeadGroup:
    return "NoHeadGroup";
  case Bug::NoQueryOffset:
    return "NoQueryOffset";
  case Bug::HeadIsGridRow:
    return "HeadIsGridRow";
  case Bug::SharedTables:
    return "SharedTables";
  case Bug::LseBase2:
    return "LseBase2";
  case Bug::LseAlways:
    return "LseAlways";
  case Bug::KeylessNan:
    return "KeylessNan";
  case Bug::NoMaximum:
    return "NoMaximum";
  case Bug::SumsInBf16:
    return "SumsInBf16";
  case Bug::ScoresInBf16:
    return "ScoresInBf16";
  case Bug::LastKeyOfBlock:
    return "LastKeyOfBlock";
  case Bug::LastDimMissing:
    return "LastDimMissing";
  case Bug::LastValueColumn:
    return "LastValueColumn";
  case Bug::LseIsMaximum:
    return "LseIsMaximum";
  case Bug::Unrepeatable:
    return "Unrepeatable";
  }
  return "";
}

Result<std::vector<Kernel>> OracleDevice::compile(const Request &asked) {
  const AttentionRequest &request = *asked.as<AttentionRequest>();
  requests[request.entry] = request;
  AttentionRequest &kept = requests[request.entry];
  if (kept.block.q == 0)
    kept.block = {.q = 64, .k = 32};
  return std::vector<Kernel>{{.entry = kept.entry,
                              .target = kept.target,
                              .block = kept.block,
                              .threads = 128,
                              .signature = plainSignature(),
                              .code = kept.entry}};
}

Result<DeviceAddress> OracleDevice::allocate(size_t bytes) {
  DeviceAddress at = next;
  next += (bytes + 511) / 256 * 256; // at least one byte between allocations
  memory[at].resize(bytes);
  return at;
}

Result<void> OracleDevice::free(DeviceAddress address) {
  if (memory.erase(address) == 0)
    return internalError("free of an address that was not allocated");
  return {};
}

std::byte *OracleDevice::at(DeviceAddress address, size_t bytes) {
  auto next = memory.upper_bound(address);
  if (next != memory.begin()) {
    auto &[begin, contents] = *std::prev(next);
    if (address - begin + bytes <= contents.size())
      return contents.data() + (address - begin);
  }
  if (fault.empty())
    fault = fmt::format("access to {} bytes at 0x{:x} is out of bounds", bytes, address);
  scratch.assign(bytes, std::byte{0});
  return scratch.data();
}

Result<void> OracleDevice::copyToDevice(DeviceAddress to, const void *from, size_t bytes) {
  std::memcpy(at(to, bytes), from, bytes);
  return synchronize();
}

Result<void> OracleDevice::copyToHost(void *to, DeviceAddress from, size_t bytes) {
  std::memcpy(to, at(from, bytes), bytes);
  return synchronize();
}

Result<std::unique_ptr<Executable>> OracleDevice::load(const std::string &,
                                                       const std::string &entry) {
  auto found = requests.find(entry);
  if (found == requests.end())
    return inputError(fmt::format("no kernel '{}'", entry));
  return std::unique_ptr<Executable>(new OracleExecutable(found->second));
}

Result<void> OracleDevice::synchronize() {
  if (fault.empty())
    return {};
  return machineError(std::exchange(fault, {}));
}

std::vector<float> OracleDevice::load(DType type, DeviceAddress address, int64_t count) {
  const std::byte *from = at(address, count * bytes(type));
  std::vector<float> row(count);
  if (type == DType::F32) {
    std::memcpy(row.data(), from, count * 4);
    return row;
  }
  for (int64_t i = 0; i < count; ++i) {
    uint16_t half = 0;
    std::memcpy(&half, from + i * 2, 2);
    row[i] = type == DType::F16 ? f16ToFloat(half) : bf16ToFloat(half);
  }
  return row;
}

void OracleDevice::store(DType type, DeviceAddress address, float value) {
  std::byte *to = at(address, bytes(type));
  uint16_t half = type == DType::F16 ? floatToF16(value) : floatToBf16(value);
  std::memcpy(to, type == DType::F32 ? static_cast<const void *>(&value) : &half, bytes(type));
}

struct OracleDevice::WorkItem {
  const AttentionRequest &request;
  const PlainArguments &arguments;
  int64_t batch, head, kvHead, blockRow, layoutRow, gridRow;

  DeviceAddress address(const void *base, const int64_t (&stride)[3], int64_t h, int64_t row,
                        int64_t column) const {
    int64_t element = batch * stride[0] + h * stride[1] + row * stride[2] + column;
    return testing::address(base) + element * bytes(request.dtype);
  }
  int64_t firstRow() const { return blockRow * request.block.q; }
  int64_t rowCount() const { return std::min<int64_t>(request.block.q, arguments.nq - firstRow()); }
};

/// One block of keys, as a kernel folds it: f32 scores, running maximum and sum, P in the type.
void OracleDevice::foldBlock(const WorkItem &item, int32_t column, bool masked) {
  const auto &[request, a, batch, head, kvHead, blockRow, layoutRow, gridRow] = item;
  auto round = rounding(request.dtype);
  int64_t firstKey = int64_t{column} * request.block.k;
  int64_t keys = request.block.k;
  if (bug != Bug::NoKeyRange)
    keys = std::min<int64_t>(keys, a.n - firstKey);
  if (bug == Bug::LastKeyOfBlock)
    --keys;
  std::vector<float> scores(keys);
  std::vector<std::vector<float>> keyRows, valueRows;
  for (int64_t k = firstKey; k < firstKey + keys; ++k) {
    keyRows.push_back(
        load(request.dtype, item.address(a.k, a.kStride, kvHead, k, 0), request.headDim));
    valueRows.push_back(
        load(request.dtype, item.address(a.v, a.vStride, kvHead, k, 0), request.valueDim));
  }
  for (int64_t r = 0; r < item.rowCount(); ++r) {
    int64_t row = item.firstRow() + r;
    Point point{.h = bug == Bug::HeadIsGridRow ? gridRow : head,
                .q = row + (bug == Bug::NoQueryOffset ? 0 : a.q0)};
    std::vector<float> query =
        load(request.dtype, item.address(a.q, a.qStride, head, row, 0), request.headDim);
    float top = rows.top[r];
    for (int64_t k = 0; k < keys; ++k) {
      float score = 0;
      for (int64_t i = 0; i < request.headDim - (bug == Bug::LastDimMissing); ++i) {
        int64_t d = sums == Sums::Forwards ? i : request.headDim - 1 - i;
        score += query[d] * keyRows[k][d];
      }
      point.k = firstKey + k;
      bool sees =
          !masked || bug == Bug::NoMask || evaluate(request.attend, point, {.nq = a.nq, .nk = a.n});
      if (bug == Bug::ScoresInBf16)
        score = roundTo(DType::BF16, score);
      scores[k] = sees ? score * a.scale : kNone;
      top = std::max(top, scores[k]);
    }
    if (top == kNone)
      continue;
    if (bug == Bug::NoMaximum)
      top = 0;
    float rescale = bug == Bug::NoRescale ? 1.0f : std::exp(rows.top[r] - top);
    rows.top[r] = top;
    rows.sum[r] *= rescale;
    for (int64_t d = 0; d < request.valueDim; ++d)
      rows.out[r * request.valueDim + d] *= rescale;
    for (int64_t k = 0; k < keys; ++k) {
      float weight = std::exp(scores[k] - top);
      rows.sum[r] += weight;
      if (float p = round(weight); p != 0)
        for (int64_t d = 0; d < request.valueDim; ++d)
          rows.out[r * request.valueDim + d] += p * valueRows[k][d];
    }
    if (bug == Bug::SumsInBf16)
      rows.sum[r] = roundTo(DType::BF16, rows.sum[r]);
  }
}

void OracleDevice::finish(const WorkItem &item) {
  const auto &[request, a, batch, head, kvHead, blockRow, layoutRow, gridRow] = item;
  for (int64_t r = 0; r < item.rowCount(); ++r) {
    int64_t row = item.firstRow() + r;
    if (bug == Bug::LastRowMissing && row == a.nq - 1)
      continue;
    float sum = rows.sum[r];
    for (int64_t d = 0; d < request.valueDim; ++d) {
      float value = rows.out[r * request.valueDim + d] / sum;
      if (sum == 0 && bug != Bug::KeylessNan)
        value = 0;
      if (bug == Bug::LastValueColumn && d + 1 == request.valueDim)
        value = 0;
      if (bug == Bug::Unrepeatable && launches > 1 && row == 0 && d == 0)
        value *= 1.01f;
      store(request.dtype, item.address(a.out, a.outStride, head, row, d), value);
    }
    float lse = sum == 0 ? kNone : rows.top[r] + (bug == Bug::LseIsMaximum ? 0 : std::log(sum));
    if (bug == Bug::LseBase2)
      lse /= std::log(2.0f);
    DeviceAddress to =
        address(a.lse) + (batch * a.lseStride[0] + head * a.lseStride[1] + row) * sizeof(float);
    if (a.lse)
      store(DType::F32, to, lse);
  }
  int64_t last = item.firstRow() + item.rowCount() - 1;
  if (bug == Bug::RowsPastEnd && last == a.nq - 1)
    store(request.dtype, item.address(a.out, a.outStride, head, a.nq, 0), 0);
  if (bug == Bug::GapWritten)
    store(request.dtype, item.address(a.out, a.outStride, head, last, request.valueDim), 0);
  if (bug == Bug::InputWritten)
    store(request.dtype, item.address(a.q, a.qStride, head, last, 0), 0.5f);
}

void OracleDevice::attend(const WorkItem &item) {
  rows.top.assign(item.request.block.q, kNone);
  rows.sum.assign(item.request.block.q, 0);
  rows.out.assign(int64_t{item.request.block.q} * item.request.valueDim, 0);
  int32_t bounds[3];
  std::memcpy(bounds, at(address(item.arguments.blockOffsets + 2 * item.layoutRow), 12), 12);
  for (int32_t b = bounds[0]; b < bounds[2]; ++b) {
    bool masked = b < bounds[1];
    if (bug == Bug::SkipFullBlocks && !masked)
      continue;
    int32_t column = 0;
    std::memcpy(&column, at(address(item.arguments.blockColumns + b), 4), 4);
    foldBlock(item, column, masked);
    if (bug == Bug::FirstBlockTwice && b == bounds[0])
      foldBlock(item, column, masked);
  }
  finish(item);
}

Result<void> OracleDevice::launch(const Executable &executable, const LaunchShape &shape,
                                  std::span<const void *const> parameters) {
  const AttentionRequest &request = static_cast<const OracleExecutable &>(executable).request;
  PlainArguments arguments;
  std::memcpy(&arguments, parameters[0], sizeof arguments);
  ++launches;
  if (bug == Bug::LseAlways && !arguments.lse)
    fault = "store to address 0"; // what a device says about it
  int64_t stride = bug == Bug::SharedTables ? 0 : arguments.layoutStride;
  for (int64_t z = 0; z < shape.grid[2]; ++z)
    for (int64_t y = 0; y < shape.grid[1]; ++y)
      for (int64_t x = 0; x < shape.grid[0]; ++x) {
        int32_t i = 0;
        std::memcpy(&i, at(address(arguments.rowOrder + y * stride + x), 4), 4);
        int64_t head = arguments.headFirst + y * arguments.headStep;
        attend({.request = request,
                .arguments = arguments,
                .batch = z,
                .head = head,
                .kvHead = bug == Bug::NoHeadGroup ? head : head / arguments.headGroup,
                .blockRow = i,
                .layoutRow = y * stride + i,
                .gridRow = y});
      }
  return {};
}

} // namespace sparsec::testing
