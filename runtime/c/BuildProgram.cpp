#include "runtime/c/BuildProgram.h"

#include "codegen/ChooseSchedule.h"

#include <atomic>
#include <thread>

namespace sparsec {
namespace {

using Pass = AttentionBackwardRequest::Pass;
using Kernels = std::shared_ptr<const std::vector<Kernel>>;

std::string symbol(const std::string &text) {
  std::string name = text;
  for (char &c : name)
    if (!isalnum(static_cast<unsigned char>(c)))
      c = '_';
  return name;
}

/// The scheduled requests of one entry.
struct EntryRequests {
  std::vector<AttentionRequest> forward;
  std::vector<AttentionBackwardRequest> queries, keys;
  std::vector<AttentionDecodeRequest> decode;
  std::vector<AttentionMassRequest> mass;
};

class Scheduler {
public:
  Scheduler(const SourcePattern &source, const BuildOptions &options)
      : source(source), options(options) {}

  Result<EntryRequests> schedule(const HeadEntry &head) const {
    EntryRequests requests;
    if (options.forward) {
      auto parts = choose(filled(AttentionRequest(), head, "forward"), head);
      if (!parts)
        return parts.error();
      requests.forward = std::move(*parts);
    }
    for (Pass pass : {Pass::Queries, Pass::Keys}) {
      if (!options.backward)
        break;
      AttentionBackwardRequest request;
      request.pass = pass;
      auto parts = choose(
          filled(std::move(request), head, pass == Pass::Keys ? "backward_dkv" : "backward"), head);
      if (!parts)
        return parts.error();
      (pass == Pass::Keys ? requests.keys : requests.queries) = std::move(*parts);
    }
    if (options.decode) {
      AttentionDecodeRequest request = filled(AttentionDecodeRequest(), head, "decode");
      request.block.q = AttentionDecodeRequest::kRows;
      auto parts = choose(std::move(request), head);
      if (!parts)
        return parts.error();
      requests.decode = std::move(*parts);
    }
    if (options.mass)
      requests.mass = {{.entry = entryOf(head, "mass"),
                        .attend = simplify(head.attend),
                        .dtype = options.dtype,
                        .headDim = options.headDim,
                        .block = head.schedule.block,
                        .target = options.target}};
    return requests;
  }

private:
  const SourcePattern &source;
  const BuildOptions &options;

  std::string entryOf(const HeadEntry &head, const char *suffix) const {
    return symbol(source.pattern.name) + "_" + symbol(head.name) + "_" + suffix;
  }
  template <class R>
  R filled(R request, const HeadEntry &head, const char *suffix) const {
    request.entry = entryOf(head, suffix);
    request.attend = simplify(head.attend);
    request.dtype = options.dtype;
    request.headDim = options.headDim;
    request.valueDim = options.valueDim;
    request.block = head.schedule.block;
    request.target = options.target;
    return request;
  }
  template <class R>
  Result<std::vector<R>> choose(R request, const HeadEntry &head) const {
    auto chosen = chooseSchedule(
        ScheduleRequest(std::move(request), {.schedule = head.schedule,
                                             .n = options.n,
                                             .copies = std::max<int64_t>(options.heads, 1)}));
    if (!chosen)
      return chosen.error();
    return std::move(chosen->parts);
  }
};

/// Takes many requests at once from a store; the first error in their order.
class Compilation {
public:
  void add(const Request &request) { requests.push_back(request); }

  Result<void> run(KernelStore &store, int threads) {
    std::atomic<size_t> next = 0;
    std::vector<std::optional<Error>> errors(requests.size());
    kernels.resize(requests.size());
    auto work = [&] {
      for (size_t i; (i = next++) < requests.size();) {
        auto found = store.kernels(requests[i]);
        if (found)
          kernels[i] = *found;
        else
          errors[i] = found.error();
      }
    };
    std::vector<std::thread> others;
    for (size_t t = 1; t < std::min(static_cast<size_t>(threads), requests.size()); ++t)
      others.emplace_back(work);
    work();
    for (std::thread &other : others)
      other.join();
    for (const auto &error : errors)
      if (error)
        return *error;
    return {};
  }
  /// Of the requests in the order they were added.
  const std::vector<Kernel> &take() { return *kernels[taken++]; }

private:
  std::vector<Request> requests;
  std::vector<Kernels> kernels;
  size_t taken = 0;
};

} // namespace

Result<ProgramParts> buildProgram(const SourcePattern &source, const BuildOptions &options,
                                  KernelStore &store) {
  ProgramParts parts{.pattern = source.pattern.name,
                     .target = options.target,
                     .dtype = options.dtype,
                     .headDim = options.headDim,
                     .valueDim = options.valueDim,
                     .entries = {}};
  Scheduler scheduler(source, options);
  Compilation compilation;
  std::vector<EntryRequests> scheduled;
  for (const HeadEntry &head : source.layer) {
    auto requests = scheduler.schedule(head);
    if (!requests)
      return requests.error();
    for (const AttentionRequest &request : requests->forward)
      compilation.add(request);
    for (auto *pass : {&requests->queries, &requests->keys})
      for (const AttentionBackwardRequest &request : *pass)
        compilation.add(request);
    for (const AttentionDecodeRequest &request : requests->decode)
      compilation.add(request);
    for (const AttentionMassRequest &request : requests->mass)
      compilation.add(request);
    scheduled.push_back(std::move(*requests));
  }
  if (auto ran = compilation.run(store, options.threads); !ran)
    return ran.error();
  for (size_t i = 0; i < scheduled.size(); ++i) {
    ProgramEntry &entry = parts.entries.emplace_back(
        ProgramEntry{source.layer[i].name, simplify(source.layer[i].attend), {}, {}, {}, {}, {}});
    for (AttentionRequest &request : scheduled[i].forward) {
      Result<Kernel> kernel = single(compilation.take());
      if (!kernel)
        return kernel.error();
      entry.forward.push_back({std::move(*kernel), std::move(request)});
    }
    for (auto [from, to] : {std::pair{&scheduled[i].queries, &entry.queries},
                            std::pair{&scheduled[i].keys, &entry.keys}})
      for (AttentionBackwardRequest &request : *from)
        to->push_back({std::move(request), compilation.take()});
    for (AttentionDecodeRequest &request : scheduled[i].decode)
      entry.decode.push_back({std::move(request), compilation.take()});
    for (AttentionMassRequest &request : scheduled[i].mass)
      entry.mass.push_back({std::move(request), compilation.take()});
  }
  return parts;
}

} // namespace sparsec
