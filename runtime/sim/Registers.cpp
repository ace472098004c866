// Which registers share columns, and which may be read before they are set.
//
// Both are questions about one thread's path through the function, so divergence does not matter:
// every lane has its own place in a column.
#include "runtime/sim/ProgramDecoder.h"

#include <algorithm>

namespace sparsec::sim {

namespace {

/// A set of registers.
class Bits {
public:
  explicit Bits(size_t count, bool value = false)
      : words((count + 63) / 64, value ? ~uint64_t(0) : 0) {}
  bool get(int i) const { return words[i / 64] >> (i % 64) & 1; }
  void set(int i) { words[i / 64] |= uint64_t(1) << (i % 64); }
  void clear(int i) { words[i / 64] &= ~(uint64_t(1) << (i % 64)); }
  bool operator==(const Bits &) const = default;
  /// a | (b & ~c)
  static bool assignUnion(Bits &into, const Bits &from) {
    bool changed = false;
    for (size_t i = 0; i < into.words.size(); ++i) {
      uint64_t next = into.words[i] | from.words[i];
      changed |= next != into.words[i];
      into.words[i] = next;
    }
    return changed;
  }
  void intersect(const Bits &with) {
    for (size_t i = 0; i < words.size(); ++i)
      words[i] &= with.words[i];
  }
  template <class Body>
  void forEach(Body body) const {
    for (size_t i = 0; i < words.size(); ++i)
      for (uint64_t rest = words[i]; rest; rest &= rest - 1)
        body(int(i * 64 + __builtin_ctzll(rest)));
  }

private:
  std::vector<uint64_t> words;
};

bool isOwn(int reg) {
  return reg < ProgramDecoder::specialBase;
}

/// Goes backwards over a block from what is live at its end.
template <class Visit>
void walkBack(const Flow::BasicBlock &block, const std::vector<Draft> &drafts, Bits &live,
              Visit visit) {
  for (int i = block.last - 1; i >= block.first; --i) {
    const Draft &draft = drafts[i];
    // A guarded write may leave the old value: no end of its life.
    if (draft.inst.guard < 0)
      for (int reg : draft.defs)
        if (isOwn(reg))
          live.clear(reg);
    for (int reg : draft.uses)
      if (isOwn(reg))
        live.set(reg);
    if (draft.inst.guard >= 0)
      live.set(draft.inst.guard);
    visit(i, live);
  }
}

struct Interval {
  int reg, from, to;
};

} // namespace

std::vector<bool> ProgramDecoder::findUnset(const Body &body) const {
  size_t registers = body.function->registers.size(), count = body.flow.blocks.size();
  std::vector<Bits> atEnd(count, Bits(registers, true));
  std::vector<bool> unset(registers);
  auto atStart = [&](size_t b) {
    const Flow::BasicBlock &block = body.flow.blocks[b];
    Bits set(registers, b != 0 && !block.predecessors.empty());
    if (b != 0)
      for (int from : block.predecessors)
        set.intersect(atEnd[from]);
    return set;
  };
  auto walk = [&](size_t b, auto visit) {
    Bits set = atStart(b);
    for (int i = body.flow.blocks[b].first; i < body.flow.blocks[b].last; ++i) {
      const Draft &draft = body.drafts[i];
      visit(draft, set);
      if (draft.inst.guard < 0)
        for (int reg : draft.defs)
          if (isOwn(reg))
            set.set(reg);
    }
    return set;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t b = 0; b < count; ++b) {
      Bits set = walk(b, [](const Draft &, const Bits &) {});
      if (!(set == atEnd[b]))
        atEnd[b] = set, changed = true;
    }
  }
  for (size_t b = 0; b < count; ++b)
    walk(b, [&](const Draft &draft, const Bits &set) {
      for (int reg : draft.uses)
        if (isOwn(reg) && !set.get(reg))
          unset[reg] = true;
      if (draft.inst.guard >= 0 && !set.get(draft.inst.guard))
        unset[draft.inst.guard] = true;
    });
  // A copy of such a register may be unset as well.
  for (bool changed = true; changed;) {
    changed = false;
    for (const Draft &draft : body.drafts) {
      if (!draft.copies || draft.defs.empty())
        continue;
      bool any = false;
      for (int reg : draft.uses)
        any |= isOwn(reg) && unset[reg];
      for (int reg : draft.defs)
        if (any && isOwn(reg) && !unset[reg])
          unset[reg] = true, changed = true;
    }
  }
  return unset;
}

void ProgramDecoder::planRegisters(Body &body) {
  size_t count = body.function->registers.size();
  body.plan.column.assign(count, -1);
  body.plan.tracked.assign(count, -1);
  std::vector<bool> unset = findUnset(body);
  for (size_t reg = 0; reg < count; ++reg)
    if (unset[reg])
      body.plan.tracked[reg] = nextTracked++;
  allocate(body);
}

/// Long: one scan over a body, whose state every part of it shares.
void ProgramDecoder::allocate(Body &body) {
  const Flow &flow = body.flow;
  size_t registers = body.function->registers.size(), count = flow.blocks.size();
  std::vector<Bits> liveIn(count, Bits(registers));
  auto liveOut = [&](size_t b) {
    Bits live(registers);
    for (int to : flow.blocks[b].successors)
      Bits::assignUnion(live, liveIn[to]);
    return live;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t b = count; b-- > 0;) {
      Bits live = liveOut(b);
      walkBack(flow.blocks[b], body.drafts, live, [](int, const Bits &) {});
      changed |= Bits::assignUnion(liveIn[b], live);
    }
  }
  std::vector<Interval> intervals(registers);
  for (size_t reg = 0; reg < registers; ++reg)
    intervals[reg] = {int(reg), INT32_MAX, -1};
  auto extend = [&](int reg, int at) {
    intervals[reg].from = std::min(intervals[reg].from, at);
    intervals[reg].to = std::max(intervals[reg].to, at);
  };
  for (size_t b = 0; b < count; ++b) {
    liveIn[b].forEach([&](int reg) { extend(reg, flow.blocks[b].first); });
    liveOut(b).forEach([&](int reg) { extend(reg, flow.blocks[b].last); });
    for (int i = flow.blocks[b].first; i < flow.blocks[b].last; ++i) {
      for (int reg : body.drafts[i].uses)
        if (isOwn(reg))
          extend(reg, i);
      for (int reg : body.drafts[i].defs)
        if (isOwn(reg))
          extend(reg, i);
      if (body.drafts[i].inst.guard >= 0)
        extend(body.drafts[i].inst.guard, i);
    }
  }
  std::sort(intervals.begin(), intervals.end(),
            [](const Interval &a, const Interval &b) { return a.from < b.from; });
  // Linear scan; an interval ends after its last use, so that no instruction writes a column that
  // it still reads.
  std::vector<std::pair<int, int32_t>> active[2]; // end, column; by width
  std::vector<int32_t> free[2];
  for (const Interval &interval : intervals) {
    if (interval.to < 0)
      continue;
    const Register &reg = body.function->registers[interval.reg];
    if (reg.type == Type::Pred) {
      body.plan.column[interval.reg] = nextPredicate++;
      continue;
    }
    int wide = sizeOf(reg.type) == 8;
    for (size_t i = 0; i < active[wide].size();) {
      if (active[wide][i].first < interval.from) {
        free[wide].push_back(active[wide][i].second);
        active[wide][i] = active[wide].back();
        active[wide].pop_back();
      } else {
        ++i;
      }
    }
    int32_t column;
    bool shares = body.plan.tracked[interval.reg] < 0;
    if (shares && !free[wide].empty()) {
      column = free[wide].back();
      free[wide].pop_back();
    } else {
      column = nextColumn;
      nextColumn += wide ? 256 : 128;
      program.wideColumns.resize(nextColumn / 128, wide);
    }
    body.plan.column[interval.reg] = column;
    if (shares)
      active[wide].push_back({interval.to, column});
  }
}

} // namespace sparsec::sim
