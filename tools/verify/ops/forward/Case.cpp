#include "tools/verify/ops/forward/Case.h"

#include <fmt/format.h>

#include <algorithm>

namespace sparsec {

namespace {

constexpr DType kTypes[] = {DType::BF16, DType::F16, DType::F32};

/// Every entry under two heads, since an entry may depend on h.
int64_t headsFor(const Pattern &pattern) {
  return 2 * std::max<int64_t>(1, static_cast<int64_t>(pattern.heads.size()));
}

int64_t aligned(DType type, int64_t vectors) {
  return vectors * 16 / bytes(type);
}

} // namespace

std::string describe(const ForwardCase &c) {
  std::string text = fmt::format("{}, head dim {}", name(c.dtype), c.headDim);
  if (c.valueDim != c.headDim)
    text += fmt::format(", value dim {}", c.valueDim);
  text += fmt::format(", n {}", c.n);
  if (c.nq != c.n)
    text += fmt::format(", nq {}", c.nq);
  if (c.q0)
    text += fmt::format(", q0 {}", *c.q0);
  text += fmt::format(", {} x {} heads", c.batch, c.heads);
  if (c.kvHeads != c.heads)
    text += fmt::format(" ({} kv)", c.kvHeads);
  text += c.order == TensorOrder::BatchHeadRow ? ", BHSD" : ", BSHD";
  if (c.gap || c.rowGap)
    text += fmt::format(" + {} x {}", c.rowGap, c.gap);
  switch (c.inputs) {
  case Inputs::Normal:
    break;
  case Inputs::Peaked:
    text += ", peaked";
    break;
  case Inputs::Count:
    text += ", counting";
    break;
  }
  if (c.lse == LseOutput::NotWanted)
    text += ", no lse";
  return text;
}

std::vector<NamedSize> sizesOf(const ForwardCase &c) {
  return {{"head_dim", c.headDim}, {"value_dim", c.valueDim}, {"n", c.n}, {"nq", c.nq}};
}

std::vector<ForwardCase> defaultForwardCases(const Pattern &pattern) {
  int64_t heads = headsFor(pattern);
  using enum TensorOrder;
  return {
      {.n = 200, .nq = 200, .heads = heads, .kvHeads = heads / 2, .order = BatchRowHead, .runs = 2},
      {.headDim = 64,
       .valueDim = 128,
       .n = 128,
       .nq = 128,
       .heads = heads,
       .kvHeads = 1,
       .inputs = Inputs::Count},
      {.headDim = 128,
       .valueDim = 128,
       .n = 700,
       .nq = 150,
       .batch = 2,
       .heads = heads,
       .kvHeads = heads,
       .gap = 8,
       .rowGap = 3,
       .surround = Surround::Filled,
       .inputs = Inputs::Peaked},
      {.dtype = DType::F16,
       .headDim = 80,
       .valueDim = 80,
       .n = 70,
       .nq = 133,
       .heads = heads,
       .kvHeads = heads / 2,
       .surround = Surround::Filled},
      {.dtype = DType::F16,
       .headDim = 256,
       .valueDim = 64,
       .n = 90,
       .nq = 90,
       .heads = heads,
       .kvHeads = heads,
       .order = BatchRowHead,
       .gap = 16,
       .lse = LseOutput::NotWanted},
      {.dtype = DType::F32,
       .headDim = 64,
       .valueDim = 64,
       .n = 300,
       .nq = 130,
       .heads = heads,
       .kvHeads = heads / 2,
       .order = BatchRowHead,
       .gap = 4,
       .inputs = Inputs::Peaked},
      {.dtype = DType::F32,
       .headDim = 16,
       .valueDim = 16,
       .n = 1,
       .nq = 1,
       .heads = heads,
       .kvHeads = heads},
  };
}

std::vector<ForwardCase> fullForwardCases(const Pattern &pattern) {
  int64_t heads = headsFor(pattern);
  using enum TensorOrder;
  std::vector<ForwardCase> cases;
  for (DType type : kTypes)
    for (auto [headDim, otherValueDim] :
         {std::pair{16, 80}, {64, 128}, {80, 64}, {128, 16}, {256, 80}}) {
      ForwardCase base{.dtype = type, .headDim = headDim, .valueDim = headDim, .heads = heads};
      bool slow = type == DType::F32; // on the simulator: no mma
      ForwardCase ragged = base;
      ragged.n = ragged.nq = slow ? 140 : 200;
      ragged.kvHeads = heads / 2;
      ragged.order = BatchRowHead;
      ragged.runs = 2;
      ForwardCase decoding = base;
      decoding.n = slow ? 150 : 300;
      decoding.nq = slow ? 37 : 77;
      decoding.valueDim = otherValueDim;
      decoding.kvHeads = heads;
      decoding.batch = 2;
      decoding.gap = aligned(type, 1);
      decoding.rowGap = 3;
      decoding.surround = Surround::Filled;
      decoding.inputs = Inputs::Peaked;
      ForwardCase keyless = base; // rows before the first key
      keyless.n = 70;
      keyless.nq = 133;
      keyless.kvHeads = 1;
      keyless.order = BatchRowHead;
      keyless.gap = aligned(type, 2);
      keyless.surround = Surround::Filled;
      keyless.lse = type == DType::F16 ? LseOutput::NotWanted : LseOutput::Wanted;
      ForwardCase counting = base;
      counting.n = counting.nq = 128;
      counting.kvHeads = heads;
      counting.inputs = Inputs::Count;
      cases.insert(cases.end(), {ragged, decoding, keyless, counting});
    }
  return cases;
}

ForwardCase caseOf(const CaseFlags &flags) {
  int64_t n = flags.n.value_or(200);
  return {.dtype = flags.dtype,
          .headDim = flags.headDim,
          .valueDim = flags.valueDim,
          .n = n,
          .nq = n,
          .heads = flags.heads,
          .kvHeads = flags.kvHeads,
          .runs = 2,
          .block = flags.block};
}

/// Whether an order lists the positions of one length.
static bool isOfOneLength(const Pattern &pattern) {
  auto isTable = [](const std::optional<OrderSpec> &order) {
    return order && std::holds_alternative<TableOrder>(*order);
  };
  return std::ranges::any_of(pattern.heads, [&](const HeadEntry &entry) {
    return isTable(entry.schedule.orderQ) || isTable(entry.schedule.orderK);
  });
}

SharpCases sharpCases(const Pattern &pattern, const CaseFlags &flags) {
  ForwardCase base = caseOf(flags);
  base.runs = 1;
  if (!flags.headsAsked) {
    base.heads *= 2;
    base.kvHeads *= 2;
  }
  bool oneLength = isOfOneLength(pattern);
  ForwardCase apart = base, counting = base, keyless = base;
  apart.batch = 2;
  apart.order = TensorOrder::BatchRowHead;
  apart.gap = aligned(apart.dtype, 1);
  apart.rowGap = 3;
  apart.surround = Surround::Filled;
  apart.inputs = Inputs::Peaked;
  counting.inputs = Inputs::Count;
  if (!flags.headsAsked)
    counting.kvHeads = counting.heads / 2;
  if (!flags.valueDimAsked)
    counting.valueDim = counting.headDim == 16 ? 32 : 16;
  keyless.surround = Surround::Filled;
  keyless.lse = LseOutput::NotWanted;
  if (!oneLength) {
    apart.nq = (apart.n + 1) / 2;
    counting.nq = counting.n + 5;
    keyless.q0 = -16;
    keyless.nq = std::min<int64_t>(keyless.n, 8) - *keyless.q0;
  }
  return {apart, counting, keyless};
}

std::vector<VerifyCase> forwardCases(const Pattern &pattern, const CaseFlags &flags) {
  switch (flags.set) {
  case CaseFlags::Set::Default:
    return withFlags(defaultForwardCases(pattern), flags);
  case CaseFlags::Set::Full:
    return withFlags(fullForwardCases(pattern), flags);
  case CaseFlags::Set::One: {
    auto [apart, counting, keyless] = sharpCases(pattern, flags);
    return withFlags<ForwardCase>({caseOf(flags), apart, counting, keyless}, flags);
  }
  }
  return {};
}

} // namespace sparsec
