// Times of row operations as shares of what copying takes; a tool for developers.
//
//   sparsec-rows [--device=cpu|cuda] [--dtype=f32] [--threads=N] [--busy] [ROWSxCOLUMNS ...]
//
//   bytes counted      layer norm              x, y (and mean, rstd)
//                      its backward            x, dy, dresidual, dx
//                      cross-entropy           logits, dlogits
//                      gelu, cast              x, y
//                      dropout                 x, residual, y
//                      embedding gradient      dx and the gradient of 50,257 rows, sorted
//
// The copy reads and writes as many bytes as a matrix has twice: on a cpu by stores that pass the
// caches, on a GPU by a cast from a type to itself, which this tool times as any other row.
// Busy: of a machine that others use too the time of this process on its processors counts, with
// one thread.
#include "codegen/Compiler.h"
#include "runtime/CrossEntropy.h"
#include "runtime/Elementwise.h"
#include "runtime/Embedding.h"
#include "runtime/LayerNorm.h"
#include "tools/bench/AtSizes.h"
#include "tools/bench/Stopwatch.h"
#include "tools/bench/Team.h"
#include "tools/verify/Random.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ctime>
#include <fmt/core.h>
#include <thread>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace sparsec {
namespace {

struct Sizes {
  int64_t rows, columns;
};

struct Flags {
  std::string device = "cpu";
  DType dtype = DType::F32;
  std::vector<Sizes> sizes;
  int threads = int(std::thread::hardware_concurrency());
  bool busy = false;
};

std::optional<Sizes> readSizes(std::string_view text) {
  Sizes sizes = {};
  const char *end = text.data() + text.size();
  auto rows = std::from_chars(text.data(), end, sizes.rows);
  if (rows.ec != std::errc() || rows.ptr == end)
    return std::nullopt;
  auto columns = std::from_chars(rows.ptr + 1, end, sizes.columns);
  return columns.ec == std::errc() && columns.ptr == end ? std::optional(sizes) : std::nullopt;
}

Result<Flags> parse(std::span<char *> arguments) {
  Flags flags;
  for (std::string_view each : arguments) {
    std::string_view value = each.substr(std::min(each.find('=') + 1, each.size()));
    if (each.starts_with("--device="))
      flags.device = value;
    else if (each.starts_with("--dtype=") && findDType(value))
      flags.dtype = *findDType(value);
    else if (each == "--busy")
      flags.busy = true, flags.threads = 1;
    else if (each.starts_with("--threads="))
      std::from_chars(value.data(), value.data() + value.size(), flags.threads);
    else if (std::optional<Sizes> sizes = readSizes(each))
      flags.sizes.push_back(*sizes);
    else
      return inputError(fmt::format("unknown: {}", each));
  }
  if (flags.sizes.empty())
    flags.sizes = {{65536, 1024}, {65536, 512}, {262144, 256}, {2048, 32768}};
  return flags;
}

/// Past the caches where the machine can.
void copyStreaming(std::byte *to, const std::byte *from, size_t bytes) {
#ifdef __SSE2__
  for (size_t i = 0; i + 64 <= bytes; i += 64)
    for (size_t part = 0; part < 64; part += 16)
      _mm_stream_si128(reinterpret_cast<__m128i *>(to + i + part),
                       _mm_load_si128(reinterpret_cast<const __m128i *>(from + i + part)));
  _mm_sfence();
#else
  std::memcpy(to, from, bytes);
#endif
}

/// A matrix of small numbers.
class Stored {
public:
  static Result<Stored> make(Device &device, int64_t rows, int64_t columns, DType type) {
    Stored made;
    made.tensor = matrix(0, rows, columns, bytes(type));
    std::vector<uint16_t> halves(made.tensor.bytes / 2);
    Random random(1);
    for (size_t i = 0; i < halves.size(); ++i) // exponents of about 1 in every type
      halves[i] = type != DType::F32 || i % 2 ? uint16_t(0x3C00 + (random.bits() & 0x1FF)) : 0;
    auto buffer = Buffer::upload(device, std::as_bytes(std::span(halves)));
    if (!buffer)
      return buffer.error();
    made.buffer = std::move(*buffer);
    made.tensor.address = made.buffer.address();
    return made;
  }
  Tensor tensor;

private:
  Buffer buffer;
};

struct Row {
  std::string name;
  double bytes;
  Enqueue call;
};

constexpr int64_t kTableRows = 50257, kWidest = 8192; ///< of embeddings

class Bench {
public:
  Bench(Device &device, const Flags &flags) : device(device), flags(flags), team(flags.threads) {}

  Result<void> run(const Sizes &sizes);

private:
  template <class T, class R>
  Result<std::shared_ptr<T>> load(R request) {
    request.target = targetOf(device);
    auto kernels = compile(request);
    if (!kernels)
      return kernels.error();
    auto loaded = T::load(device, std::move(*kernels), request);
    if (!loaded)
      return loaded.error();
    return std::make_shared<T>(std::move(*loaded));
  }
  Result<void> addNorms(const Sizes &sizes);
  Result<void> addEntropy(const Sizes &sizes);
  Result<void> addMaps(const Sizes &sizes);
  Result<void> addEmbedding(const Sizes &sizes);
  Result<std::vector<Timing>> time() const;

  Device &device;
  const Flags &flags;
  Team team;
  Tensor x, y, other, vector, perRow, targets, seed, tokens, table;
  std::vector<Row> rows;
};

Result<void> Bench::addNorms(const Sizes &sizes) {
  LayerNormRequest request{.entry = "norm", .columns = sizes.columns};
  request.stream = request.dtype = flags.dtype;
  auto forward = load<LayerNorm>(request);
  if (!forward)
    return forward.error();
  auto backward = load<LayerNormBackward>(LayerNormBackwardRequest{request});
  if (!backward)
    return backward.error();
  double bytes = double(x.bytes);
  rows.push_back({"layer norm", 2 * bytes, [=, this] {
                    return (*forward)->launch({.rows = sizes.rows,
                                               .x = x,
                                               .gain = vector,
                                               .bias = vector,
                                               .y = y,
                                               .mean = perRow,
                                               .rstd = perRow});
                  }});
  rows.push_back({"layer norm backward", 4 * bytes, [=, this] {
                    return (*backward)->launch({.rows = sizes.rows,
                                                .x = x,
                                                .gain = vector,
                                                .mean = perRow,
                                                .rstd = perRow,
                                                .dy = other,
                                                .dresidual = other,
                                                .dx = y,
                                                .dgain = vector,
                                                .dbias = vector});
                  }});
  return {};
}

Result<void> Bench::addEntropy(const Sizes &sizes) {
  auto loss = load<CrossEntropy>(
      CrossEntropyRequest{.entry = "loss", .columns = sizes.columns, .dtype = flags.dtype});
  if (!loss)
    return loss.error();
  rows.push_back(
      {"cross-entropy", 2 * double(x.bytes), [=, this] {
         return (*loss)->launch(
             {.rows = sizes.rows, .logits = x, .targets = targets, .loss = perRow, .dlogits = y});
       }});
  return {};
}

Result<void> Bench::addMaps(const Sizes &sizes) {
  using Kind = ElementwiseRequest::Kind;
  for (Kind kind : {Kind::Cast, Kind::Gelu, Kind::Dropout}) {
    auto map = load<Elementwise>(ElementwiseRequest{
        .entry = std::string(name(kind)), .kind = kind, .from = flags.dtype, .to = flags.dtype});
    if (!map)
      return map.error();
    rows.push_back(
        {std::string(name(kind)), (kind == Kind::Dropout ? 3 : 2) * double(x.bytes), [=, this] {
           return (*map)->launch({.rows = sizes.rows,
                                  .columns = sizes.columns,
                                  .x = x,
                                  .residual = other,
                                  .y = y,
                                  .seed = seed,
                                  .drop = 0.1});
         }});
  }
  return {};
}

/// Of a table as large as that of a model of text: tokens are its rows at random. The widest rows
/// are logits.
Result<void> Bench::addEmbedding(const Sizes &sizes) {
  if (sizes.columns > kWidest)
    return {};
  auto gradient = load<EmbeddingGradient>(EmbeddingGradientRequest{
      .entry = "embedding", .columns = sizes.columns, .dtype = flags.dtype, .sorted = true});
  if (!gradient)
    return gradient.error();
  rows.push_back(
      {"embedding gradient", double(x.bytes + table.bytes), [=, this] {
         return (*gradient)->launch(
             {.n = sizes.rows, .rows = kTableRows, .index = tokens, .dx = x, .gradient = table});
       }});
  return {};
}

Result<std::vector<Timing>> Bench::time() const {
  std::vector<Enqueue> calls;
  for (const Row &row : rows)
    calls.push_back(row.call);
  if (!flags.busy)
    return timeInTurn(device, calls, {.samples = 9});
  std::vector<Timing> timings;
  for (const Enqueue &call : calls) {
    std::vector<double> samples;
    for (double all = 0; samples.size() < 5 || all < 0.5;) {
      std::clock_t begin = std::clock();
      if (Result<void> ok = call(); !ok)
        return ok.error();
      if (Result<void> ok = device.synchronize(); !ok)
        return ok.error();
      all += samples.emplace_back(double(std::clock() - begin) / CLOCKS_PER_SEC);
    }
    std::ranges::sort(samples);
    timings.push_back({.medianMs = 1e3 * samples[samples.size() / 2]});
  }
  return timings;
}

Result<void> Bench::run(const Sizes &sizes) {
  auto [count, columns] = sizes;
  std::vector<Stored> stored;
  auto make = [&](Tensor &tensor, int64_t height, int64_t width, DType type) -> Result<void> {
    auto made = Stored::make(device, height, width, type);
    if (!made)
      return made.error();
    tensor = made->tensor;
    stored.push_back(std::move(*made));
    return {};
  };
  for (Tensor *each : {&x, &y, &other})
    if (Result<void> made = make(*each, count, columns, flags.dtype); !made)
      return made;
  if (Result<void> made = make(table, columns > kWidest ? 1 : kTableRows, columns, DType::F32);
      !made)
    return made;
  for (auto [tensor, width] : {std::pair{&vector, columns}, {&perRow, count}, {&seed, int64_t(2)}})
    if (Result<void> made = make(*tensor, 1, width, DType::F32); !made)
      return made;
  std::vector<int32_t> classes(count);
  for (int64_t r = 0; r < count; ++r)
    classes[r] = int32_t(r % columns);
  auto ofTargets = Buffer::upload(device, std::as_bytes(std::span(classes)));
  if (!ofTargets)
    return ofTargets.error();
  targets = matrix(ofTargets->address(), 1, count, 4);
  Random random(2);
  for (int32_t &token : classes)
    token = int32_t(random.below(kTableRows));
  auto ofTokens = Buffer::upload(device, std::as_bytes(std::span(classes)));
  if (!ofTokens)
    return ofTokens.error();
  tokens = {.address = ofTokens->address(), .bytes = ofTokens->bytes(), .stride = {count, 0, 1}};
  rows.clear();
  if (device.name() == "cpu")
    rows.push_back({"streaming copy", 2 * double(x.bytes), [this]() -> Result<void> {
                      team.run([&](int member) {
                        size_t share = x.bytes / team.size() / 64 * 64;
                        copyStreaming(reinterpret_cast<std::byte *>(y.address) + member * share,
                                      reinterpret_cast<std::byte *>(x.address) + member * share,
                                      share);
                      });
                      return {};
                    }});
  for (auto add : {&Bench::addNorms, &Bench::addEntropy, &Bench::addMaps, &Bench::addEmbedding})
    if (Result<void> added = (this->*add)(sizes); !added)
      return added;
  auto timings = time();
  if (!timings)
    return timings.error();
  auto at = std::ranges::find(rows, device.name() == "cpu" ? "streaming copy" : "cast", &Row::name);
  auto copied = static_cast<size_t>(at - rows.begin());
  double copy = rows[copied].bytes / (*timings)[copied].medianMs;
  for (size_t i = 0; i < rows.size(); ++i) {
    double rate = rows[i].bytes / (*timings)[i].medianMs;
    fmt::print("{:6} x {:5}  {}  {:20}  {:9.3f} ms  {:8.1f} GB/s  {:5.1f} %\n", count, columns,
               name(flags.dtype), rows[i].name, (*timings)[i].medianMs, rate * 1e-6,
               100 * rate / copy);
  }
  return {};
}

} // namespace
} // namespace sparsec

int main(int count, char **arguments) {
  return sparsec::mainAtSizes<sparsec::Bench>(count, arguments, sparsec::parse);
}
