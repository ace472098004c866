// A device that computes attention on the host straight from a launch's arguments: block tables,
// strides, head maps. It stands for a correct kernel where the harness itself is tested, and, with
// a Bug, for kernels that are wrong in one way each.
#pragma once

#include "tools/verify/Verify.h"
#include "tools/verify/ops/forward/Case.h"

namespace sparsec::testing {

enum class Bug {
  None,
  NoMask,          ///< partial blocks treated as full
  NoKeyRange,      ///< keys past n are used
  SkipFullBlocks,  ///<
  FirstBlockTwice, ///<
  NoRescale,       ///< sums not rescaled when the maximum moves
  RowsPastEnd,     ///< rows past nq are written
  LastRowMissing,  ///<
  GapWritten,      ///< the element after a row is written
  InputWritten,    ///< q is scaled in place
  NoHeadGroup,     ///< kv head = h
  NoQueryOffset,   ///< positions without q0
  HeadIsGridRow,   ///< the predicate sees y in place of the model's head
  SharedTables,    ///< the tables' stride is ignored
  LseBase2,        ///<
  LseAlways,       ///< written where it is not wanted
  KeylessNan,      ///< 0 / 0 in rows without keys
  NoMaximum,       ///< exp of scores as they are
  SumsInBf16,      ///< sums are rounded after each block
  ScoresInBf16,    ///<
  LastKeyOfBlock,  ///< is left out
  LastDimMissing,  ///< of q and k
  LastValueColumn, ///< is 0
  LseIsMaximum,    ///< without the logarithm of the sum
  Unrepeatable,    ///< a second run differs in one bit
};
std::vector<Bug> allBugs();
std::string_view name(Bug bug);

/// In which order a score's products are added: both are right, and rounded differently.
enum class Sums { Forwards, Backwards };

class OracleDevice : public Device {
public:
  explicit OracleDevice(Bug bug = Bug::None, Sums sums = Sums::Forwards) : bug(bug), sums(sums) {}

  /// A "kernel" for this device.
  Result<std::vector<Kernel>> compile(const Request &request);
  CompileFunction compiler() {
    return [this](const Request &request) { return compile(request); };
  }

  std::string_view name() const override { return "oracle"; }
  std::string description() const override { return "attention on the host"; }
  Result<DeviceAddress> allocate(size_t bytes) override;
  Result<void> free(DeviceAddress address) override;
  Result<void> copyToDevice(DeviceAddress to, const void *from, size_t bytes) override;
  Result<void> copyToHost(void *to, DeviceAddress from, size_t bytes) override;
  Result<std::unique_ptr<Executable>> load(const std::string &ptx,
                                           const std::string &entry) override;
  Result<void> launch(const Executable &executable, const LaunchShape &shape,
                      std::span<const void *const> parameters) override;
  Result<void> synchronize() override;

  size_t liveAllocations() const { return memory.size(); }

private:
  struct WorkItem;
  /// Memory of `bytes` bytes, or scratch and a fault.
  std::byte *at(DeviceAddress address, size_t bytes);
  /// A row of a tensor.
  std::vector<float> load(DType type, DeviceAddress address, int64_t count);
  void store(DType type, DeviceAddress address, float value);
  void attend(const WorkItem &item);
  void foldBlock(const WorkItem &item, int32_t column, bool masked);
  void finish(const WorkItem &item);

  /// Running maximum, sum and output of each row of a work item.
  struct Rows {
    std::vector<float> top, sum, out;
  } rows;

  Bug bug;
  Sums sums;
  std::map<std::string, AttentionRequest> requests;
  std::map<DeviceAddress, std::vector<std::byte>> memory;
  std::vector<std::byte> scratch;
  DeviceAddress next = 0x10000;
  std::string fault;
  int launches = 0;
};

} // namespace sparsec::testing
