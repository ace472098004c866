// Basic blocks and immediate post-dominators (Cooper, Harvey and Kennedy's iteration on the
// reversed graph).
#include "runtime/sim/ProgramDecoder.h"

#include <algorithm>

namespace sparsec::sim {

namespace {

void findPostDominators(std::vector<Flow::BasicBlock> &blocks) {
  // A virtual exit, numbered last, follows every block that ends the function.
  int count = blocks.size(), exit = count;
  std::vector<std::vector<int>> into(count + 1); // edges of the reversed graph, by target
  std::vector<std::vector<int>> next(count + 1);
  for (int b = 0; b < count; ++b) {
    for (int s : blocks[b].successors)
      into[s].push_back(b), next[b].push_back(s);
    if (blocks[b].successors.empty())
      into[exit].push_back(b), next[b].push_back(exit);
  }
  // Postorder of the reversed graph from the exit.
  std::vector<int> number(count + 1, -1), order;
  std::vector<std::pair<int, size_t>> stack = {{exit, 0}};
  std::vector<bool> seen(count + 1);
  seen[exit] = true;
  while (!stack.empty()) {
    auto &[at, edge] = stack.back();
    if (edge < into[at].size()) {
      int b = into[at][edge++];
      if (!seen[b]) {
        seen[b] = true;
        stack.push_back({b, 0});
      }
    } else {
      number[at] = order.size();
      order.push_back(at);
      stack.pop_back();
    }
  }
  std::vector<int> dominator(count + 1, -1);
  dominator[exit] = exit;
  for (bool changed = true; changed;) {
    changed = false;
    for (auto it = order.rbegin(); it != order.rend(); ++it) {
      int b = *it, found = -1;
      if (b == exit)
        continue;
      for (int s : next[b]) {
        if (number[s] < 0 || dominator[s] < 0)
          continue;
        int x = s, y = found;
        while (y >= 0 && x != y) {
          while (number[x] < number[y])
            x = dominator[x];
          while (number[y] < number[x])
            y = dominator[y];
        }
        found = x;
      }
      if (found != dominator[b])
        dominator[b] = found, changed = true;
    }
  }
  for (int b = 0; b < count; ++b)
    blocks[b].postDominator = dominator[b] == exit ? -1 : dominator[b];
}

} // namespace

Flow findFlow(const std::vector<Draft> &drafts, const Function &function) {
  int count = drafts.size();
  std::vector<bool> leads(count + 1);
  leads[0] = leads[count] = true;
  for (int i = 0; i < count; ++i) {
    const Draft &draft = drafts[i];
    if (draft.branches || draft.ends)
      leads[i + 1] = true;
    if (draft.target >= 0)
      leads[draft.target] = true;
    if (draft.table >= 0)
      for (int target : function.branchTables[draft.table])
        leads[target] = true;
  }
  Flow flow;
  flow.blockOf.resize(count + 1, -1);
  for (int i = 0; i < count; ++i) {
    if (leads[i])
      flow.blocks.push_back({i, i, {}, {}, -1});
    flow.blocks.back().last = i + 1;
    flow.blockOf[i] = flow.blocks.size() - 1;
  }
  for (size_t b = 0; b < flow.blocks.size(); ++b) {
    Flow::BasicBlock &block = flow.blocks[b];
    const Draft &last = drafts[block.last - 1];
    auto add = [&](int target) {
      int to = flow.blockOf[target];
      if (std::find(block.successors.begin(), block.successors.end(), to) == block.successors.end())
        block.successors.push_back(to);
    };
    bool guarded = last.inst.guard >= 0;
    if ((!last.ends || guarded) && block.last < count)
      add(block.last);
    if (last.target >= 0)
      add(last.target);
    if (last.table >= 0)
      for (int target : function.branchTables[last.table])
        add(target);
    for (int to : block.successors)
      flow.blocks[to].predecessors.push_back(b);
  }
  findPostDominators(flow.blocks);
  return flow;
}

} // namespace sparsec::sim
