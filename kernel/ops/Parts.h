// A head that is computed as disjoint parts, each by a kernel of its own in its own token orders.
#pragma once

#include "layout/Split.h"
#include "patterns/Pattern.h"

namespace sparsec {

/// What a kernel does of such a head; of one that is not divided it is first and last.
struct PartRole {
  bool first = true; ///< else it goes on from what the parts before left
  bool last = true;  ///< else it leaves its sums in f32 for the next part
  bool operator==(const PartRole &) const = default;
};

/// Of orders that are not natural and of a part's role, a line each, for whoever reads the code.
std::string describeWay(const OrderSpec &queries, const OrderSpec &keys, const PartRole &role);

/// R is an operation's request with an entry, a predicate, orders, a block and a role: one for each
/// part, with a name of its own where there are several.
template <class R>
std::vector<R> requestsOfParts(const R &request, const std::vector<Part> &parts,
                               const Block &block) {
  std::vector<R> requests;
  for (size_t i = 0; i < parts.size(); ++i) {
    R &one = requests.emplace_back(request);
    if (parts.size() > 1)
      one.entry += "_part" + std::to_string(i + 1);
    one.attend = parts[i].attend;
    one.queryOrder = parts[i].queries;
    one.keyOrder = parts[i].keys;
    one.block = block;
    one.part = {.first = i == 0, .last = i + 1 == parts.size()};
  }
  return requests;
}

} // namespace sparsec
