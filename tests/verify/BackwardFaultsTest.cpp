// The harness finds what is wrong with attention's gradients: a cpu device whose kernels are right
// passes every default case, and one that launches them with one fault each fails at least one.
//
// A fault is in what a kernel is told (an argument, a grid, the groups of the kv heads), in which
// kernels run, in what they were compiled from, or in what stands in memory after them.
#include "codegen/Compiler.h"
#include "kernel/ops/AttentionBackward.h"
#include "kernel/ops/KeyGroups.h"
#include "runtime/cpu/CpuDevice.h"
#include "tools/verify/Verify.h"
#include "tools/verify/ops/backward/Case.h"

#include <cstring>
#include <gtest/gtest.h>

namespace sparsec {
namespace {

enum class Fault {
  None,
  NoMask,         ///< compiled from a predicate that everything attends by
  HeadIgnored,    ///< compiled for head 0
  NoScale,        ///< scores as they are
  DeltaMissing,   ///< the kernel of delta does not run
  NoDlse,         ///< the gradient of lse is left out
  NoQueryOffset,  ///< positions without q0
  FirstKvHead,    ///< all query heads use kv head 0
  LastKeyMissing, ///< n - 1 keys
  LastRowMissing, ///< nq - 1 queries
  SharedTables,   ///< the tables' strides are ignored
  BlocksMissing,  ///< the last row of blocks of every head does not run
  HeadMissing,    ///< the last head or group does not run
  BatchMissing,   ///< likewise
  SumsForgotten,  ///< a later launch starts from zero
  SumsLeft,       ///< the last launch leaves its sums in f32 memory
  GroupTooShort,  ///< the last query head of each group is left out
  InputWritten,   ///< a byte of q
  Unrepeatable,   ///< one bit of dv, once
};
constexpr Fault kLast = Fault::Unrepeatable;

/// Attention backward on the host, launched with one fault.
class FaultyDevice : public Device {
public:
  explicit FaultyDevice(Fault fault) : fault(fault) {}

  Result<std::vector<Kernel>> compile(const Request &asked) {
    auto request = *asked.as<AttentionBackwardRequest>();
    auto parse = [](const char *text) {
      return *parsePredicate(std::make_shared<SourceText>(SourceText{"fault", text}));
    };
    if (fault == Fault::NoMask)
      request.attend = make(Op::True, {});
    if (fault == Fault::HeadIgnored && mentions(request.attend, Op::Head))
      request.attend = parse("k <= q and q - k < 20");
    static std::map<std::string, std::vector<Kernel>> compiled; // for all faults
    auto [kernels, fresh] = compiled.try_emplace(Request(request).text());
    if (fresh) {
      Result<std::vector<Kernel>> made = sparsec::compile(request);
      if (!made)
        return made;
      kernels->second = std::move(*made);
    }
    for (const Kernel &kernel : kernels->second)
      signatures[kernel.entry] = kernel.signature;
    return kernels->second;
  }

  std::string_view name() const override { return "cpu"; }
  std::string description() const override { return "with a fault"; }
  Result<DeviceAddress> allocate(size_t bytes) override { return inner->allocate(bytes); }
  Result<void> free(DeviceAddress address) override { return inner->free(address); }
  Result<void> copyToDevice(DeviceAddress to, const void *from, size_t bytes) override {
    return inner->copyToDevice(to, from, bytes);
  }
  Result<void> copyToHost(void *to, DeviceAddress from, size_t bytes) override {
    return inner->copyToHost(to, from, bytes);
  }
  Result<std::unique_ptr<Executable>> load(const std::string &code,
                                           const std::string &entry) override {
    auto loaded = inner->load(code, entry);
    if (loaded)
      entries[loaded->get()] = entry;
    return loaded;
  }
  Result<void> synchronize() override { return inner->synchronize(); }
  Result<void> launch(const Executable &executable, const LaunchShape &shape,
                      std::span<const void *const> parameters) override;

private:
  /// The arguments of a launch, by name.
  struct Told {
    const Signature &signature;
    std::vector<std::max_align_t> memory;

    Told(const Signature &signature, const void *from)
        : signature(signature), memory(signature.bytes() / sizeof(std::max_align_t) + 1) {
      std::memcpy(memory.data(), from, signature.bytes());
    }
    /// Null where the kernel does not take it.
    template <class T>
    T *find(std::string_view name) {
      const Field *field = signature.find(name);
      return field ? reinterpret_cast<T *>(reinterpret_cast<std::byte *>(memory.data()) +
                                           field->offset)
                   : nullptr;
    }
    template <class T>
    void set(std::string_view name, T value) {
      if (T *place = find<T>(name))
        *place = value;
    }
    void less(std::string_view name) {
      if (auto *place = find<int32_t>(name))
        --*place;
    }
    bool has(std::string_view name) const { return signature.find(name); }
  };
  void tellWrongly(Told &told, LaunchShape &shape);
  void changeGroups(Told &told, int64_t count);

  Fault fault;
  std::unique_ptr<Device> inner = openCpuDevice({.threads = 2});
  std::map<std::string, Signature> signatures;
  std::map<const Executable *, std::string> entries;
  std::vector<KeyGroup> groups; ///< what a launch is told in place of its own
  int launches = 0;             ///< of the pass over keys
};

void FaultyDevice::changeGroups(Told &told, int64_t count) {
  const KeyGroup **given = told.find<const KeyGroup *>("groups");
  if (!given)
    return;
  groups.assign(*given, *given + count);
  for (KeyGroup &group : groups) {
    if (fault == Fault::SumsForgotten)
      group.role &= ~KeyGroup::kGoesOn;
    if (fault == Fault::SumsLeft && (group.role & KeyGroup::kGoesOn))
      group.role |= KeyGroup::kStays;
    if (fault == Fault::GroupTooShort)
      --group.heads;
  }
  *given = groups.data();
}

void FaultyDevice::tellWrongly(Told &told, LaunchShape &shape) {
  changeGroups(told, shape.grid[1]);
  switch (fault) {
  case Fault::NoScale:
    return told.set("scale", 1.0F);
  case Fault::NoDlse:
    told.set<const void *>("dlse", nullptr);
    return told.set<int32_t>("dlse_rows", 0);
  case Fault::NoQueryOffset:
    return told.set<int32_t>("q0", 0);
  case Fault::FirstKvHead:
    return told.set<int32_t>("head_group", 1 << 20);
  case Fault::LastKeyMissing:
    return told.less("n");
  case Fault::LastRowMissing:
    return told.less("nq");
  case Fault::SharedTables:
    told.set<int32_t>("layout_stride", 0);
    return told.set<int32_t>("form_stride", 0);
  case Fault::BlocksMissing:
    --shape.grid[0];
    return;
  case Fault::HeadMissing:
    --shape.grid[1];
    return;
  case Fault::BatchMissing:
    --shape.grid[2];
    return;
  default: // not in what a kernel is told
    return;
  }
}

Result<void> FaultyDevice::launch(const Executable &executable, const LaunchShape &asked,
                                  std::span<const void *const> parameters) {
  Told told(signatures.at(entries.at(&executable)), parameters[0]);
  LaunchShape shape = asked;
  tellWrongly(told, shape);
  if (fault == Fault::DeltaMissing && told.has("dlse"))
    return {};
  if (shape.grid[0] == 0 || shape.grid[1] == 0 || shape.grid[2] == 0)
    return {};
  bool overKeys = told.has("groups");
  const void *arguments = told.memory.data();
  if (auto launched = inner->launch(executable, shape, {&arguments, 1}); !launched)
    return launched;
  if (auto idle = inner->synchronize(); !idle) // the groups are ours
    return idle;
  if (fault == Fault::InputWritten && overKeys)
    **told.find<std::byte *>("q") = std::byte{0x5A};
  if (fault == Fault::Unrepeatable && overKeys && ++launches == 2)
    **told.find<std::byte *>("dv") ^= std::byte{1};
  return {};
}

/// Two entries, one of them different in every head, whose query heads share kv heads.
Pattern mixed() {
  Pattern pattern{.name = "test"};
  for (const char *text : {"k <= q and q - k < 20 + 16 * h", "k <= q and q - k < 150"})
    pattern.heads.push_back(
        {.name = "head" + std::to_string(pattern.heads.size()),
         .attend = *parsePredicate(std::make_shared<SourceText>(SourceText{"test", text})),
         .schedule = {
             .orderQ = NaturalOrder{}, .orderK = NaturalOrder{}, .split = SplitChoice::Never}});
  return pattern;
}

/// The first thing wrong in the default cases, or nothing.
std::string firstFailure(Fault fault) {
  Pattern pattern = mixed();
  FaultyDevice device(fault);
  Verifier verifier({device, pattern, *findTarget("cpu"),
                     [&](const Request &request) { return device.compile(request); }});
  for (const BackwardCase &c : defaultBackwardCases(pattern)) {
    Result<std::vector<VerifyRow>> rows = verifier.run(c);
    if (!rows)
      return "error: " + rows.error().message;
    for (const VerifyRow &row : *rows)
      if (!row.passed)
        return describe(c) + ": " + row.head + ": " + row.output + ": " + row.detail;
  }
  return "";
}

TEST(BackwardFaults, RightKernelsPassTheDefaultCases) {
  EXPECT_EQ(firstFailure(Fault::None), "");
}

TEST(BackwardFaults, EveryFaultIsFoundByTheDefaultCases) {
  for (int i = int(Fault::None) + 1; i <= int(kLast); ++i)
    EXPECT_NE(firstFailure(Fault(i)), "") << "fault " << i;
}

} // namespace
} // namespace sparsec
