#include "kernel/ops/Matmul.h"

#include <fmt/core.h>

#include <algorithm>

namespace sparsec {

using Pass = MatmulRequest::Pass;
using Tile = MatmulRequest::Tile;

namespace {

/// Work items that fill the machines of a kind.
int64_t fewestItems(const Target &target) {
  return target.kind() == TargetKind::Cpu ? 16 : 132;
}

/// Multiprocessors of a GPU share a cache, and those that run at a time are to read a square of the
/// operands out of it; a CPU's cores have one each.
constexpr int64_t kGpuRowsTogether = 8;

/// Of a GPU: a warp has 64 x 64 of the result, as large as its registers allow, and two blocks of
/// four warps fit on a multiprocessor.
///
/// Of a CPU: both sides of the result are as long as the second-level cache allows, since what is
/// multiplied is copied together or fetched again for each tile; of the chunk a panel of 64 lanes
/// stays in the first-level cache, but that a long sum over tokens loads and stores the result less
/// often.
Tile largestTile(const MatmulRequest &request) {
  if (request.target.kind() == TargetKind::Gpu) {
    int side = request.dtype == DType::F32 ? 64 : 128, chunk = 64;
    return {.tokens = request.pass == Pass::WeightGradient ? chunk : side,
            .out = request.pass == Pass::InputGradient ? chunk : side,
            .in = request.pass == Pass::Forward ? chunk : side};
  }
  switch (request.pass) {
  case Pass::Forward:
  case Pass::InputGradient:
    return {.tokens = 512, .out = 256, .in = 128};
  case Pass::WeightGradient:
    return {.tokens = 256, .out = 256, .in = 256};
  }
  return {};
}

int64_t tilesOf(int64_t size, int tile) {
  return (size + tile - 1) / tile;
}

/// The largest of tile, tile / 2, ... down to 64 that leaves least of a last tile empty.
int fitted(int tile, int64_t size) {
  int best = tile;
  for (int each = tile; each >= 64; each /= 2)
    if (tilesOf(size, each) * each < tilesOf(size, best) * best)
      best = each;
  return best;
}

Result<void> checkSide(const char *what, int size, int most) {
  if (size >= 16 && size <= most && size % 16 == 0)
    return {};
  return inputError(
      fmt::format("expected a tile of 16 to {} {} in steps of 16, found {}", most, what, size));
}

std::string flags(const MatmulRequest &request) {
  std::string text;
  for (auto [set, word] : {std::pair{request.bias, " bias"},
                           {request.gelu, " gelu"},
                           {request.save, " save"},
                           {request.residual, " residual"}})
    text += set ? word : "";
  return text;
}

} // namespace

std::string_view name(Pass pass) {
  switch (pass) {
  case Pass::Forward:
    return "forward";
  case Pass::InputGradient:
    return "input gradient";
  case Pass::WeightGradient:
    return "weight gradient";
  }
  return "";
}

Tile tileOf(const MatmulRequest &request) {
  Tile tile = request.tile, other = largestTile(request);
  return {.tokens = tile.tokens ? tile.tokens : other.tokens,
          .out = tile.out ? tile.out : other.out,
          .in = tile.in ? tile.in : other.in};
}

int stagesOf(const MatmulRequest &request) {
  constexpr int kMost = 4;
  if (request.stages || request.target.kind() == TargetKind::Cpu)
    return std::max(request.stages, 2);
  // Two blocks of threads to a multiprocessor, so that one computes while the other begins or ends.
  Tile tile = tileOf(request);
  int both = request.pass == Pass::Forward         ? (tile.tokens + tile.out) * tile.in
             : request.pass == Pass::InputGradient ? (tile.tokens + tile.in) * tile.out
                                                   : (tile.out + tile.in) * tile.tokens;
  return std::clamp(request.target.sharedBytes / 2 / (both * bytes(request.dtype)), 2, kMost);
}

int64_t rowsTogether(const MatmulRequest &request) {
  return request.target.kind() == TargetKind::Gpu ? kGpuRowsTogether : 1;
}

Tile chooseTile(const MatmulRequest &request, int64_t tokens, int64_t out, int64_t in) {
  Tile tile = tileOf(request);
  Tile chosen = {.tokens = fitted(tile.tokens, tokens),
                 .out = fitted(tile.out, out),
                 .in = fitted(tile.in, in)};
  // Sums run over chunks of the other axes, so that fewer tokens a tile change no bit.
  if (request.pass == Pass::WeightGradient)
    return chosen;
  bool gpu = request.target.kind() == TargetKind::Gpu;
  auto [size, across] =
      request.pass == Pass::Forward ? std::tuple(out, &chosen.out) : std::tuple(in, &chosen.in);
  while (tilesOf(tokens, chosen.tokens) * tilesOf(size, *across) < fewestItems(request.target)) {
    int &side = gpu && *across > chosen.tokens ? *across : chosen.tokens;
    if (side <= (gpu ? 64 : 128))
      break;
    side /= 2;
  }
  return chosen;
}

int64_t tokenRanges(const MatmulRequest &request, int64_t tokens, int64_t out, int64_t in) {
  Tile tile = tileOf(request);
  int64_t items = std::max<int64_t>(tilesOf(out, tile.out) * tilesOf(in, tile.in), 1);
  int64_t steps = tilesOf(tokens, tile.tokens);
  constexpr int64_t kFewestSteps = 2; // else the sum of the ranges is what takes the time
  int64_t most = 2 * fewestItems(request.target);
  // A GPU runs so many items at a time: one more would wait for all of them.
  int64_t wanted =
      request.target.kind() == TargetKind::Gpu ? most / items : tilesOf(most, int(items));
  return std::max<int64_t>(std::min(wanted, steps / kFewestSteps), 1);
}

int64_t biasRanges(const MatmulRequest &request, int64_t tokens, int64_t out, int64_t in) {
  if (request.target.kind() == TargetKind::Cpu) // where a core reads what it has in its cache
    return tokenRanges(request, tokens, out, in);
  Tile tile = tileOf(request);
  int64_t items = std::max<int64_t>(tilesOf(out, tile.out), 1);
  return std::clamp<int64_t>(4 * fewestItems(request.target) / items, 1,
                             std::max<int64_t>(tilesOf(tokens, tile.tokens), 1));
}

Result<void> checkRequest(const MatmulRequest &request) {
  Tile tile = tileOf(request);
  int most = request.target.kind() == TargetKind::Cpu ? 1024 : 256;
  for (auto [what, size] :
       {std::pair{"tokens", tile.tokens}, {"outputs", tile.out}, {"inputs", tile.in}})
    if (auto checked = checkSide(what, size, most); !checked)
      return checked;
  if (request.stages && (request.stages < 2 || request.stages > 8))
    return inputError(fmt::format("expected 2 to 8 stages, found {}", request.stages));
  auto only = [&](bool flag, const char *word, bool fits) -> Result<void> {
    if (!flag || fits)
      return {};
    return inputError(fmt::format("'{}' is nothing that the {} has", word, name(request.pass)));
  };
  bool forward = request.pass == Pass::Forward, weights = request.pass == Pass::WeightGradient;
  for (const Result<void> &checked :
       {only(request.bias, "bias", request.pass != Pass::InputGradient),
        only(request.gelu, "gelu", !weights), only(request.save, "save", forward),
        only(request.residual, "residual", forward)})
    if (!checked)
      return checked;
  if (request.save && !request.gelu)
    return inputError("'save' keeps what gelu was given: it needs 'gelu'");
  return {};
}

Needs needsOf(const MatmulRequest &request) {
  return {.dtype = request.dtype};
}

std::string describeRequest(const MatmulRequest &request) {
  Tile tile = tileOf(request);
  std::string text =
      fmt::format("matmul {}, {}, tiles of {} tokens, {} outputs, {} inputs\n", name(request.pass),
                  name(request.dtype), tile.tokens, tile.out, tile.in);
  if (std::string with = flags(request); !with.empty())
    text += fmt::format("with{}\n", with);
  return text;
}

std::string printRequest(const MatmulRequest &request) {
  Tile tile = tileOf(request);
  return fmt::format("pass {}\ndtype {}\nstream {}\nweights {}\nwith{}\ntile {} {} {}\nstages {}\n",
                     name(request.pass), name(request.dtype), name(request.stream),
                     name(request.weights), flags(request), tile.tokens, tile.out, tile.in,
                     stagesOf(request));
}

} // namespace sparsec
