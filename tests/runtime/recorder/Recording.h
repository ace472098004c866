// The results of all probes on one device, as a file:
//
//   sparsec-ptx-recording 1\n
//   NVIDIA H200, sm_90, 132 multiprocessors, driver 13.0\n
//   then for each probe, little-endian:
//     u16 length, its name                 u64 hash of its kernel and operands
//     u32 length, results, bytes(kind) each, result by result, thread by thread (none: the device
//     refused the probe)
//
// A probe whose kernel or operands have changed since is told by its hash and not compared.
#pragma once

#include "tests/runtime/recorder/Probes.h"

namespace sparsec::testing {

struct Recording {
  std::string device; ///< its description
  struct Entry {
    uint64_t hash = 0;
    std::vector<uint64_t> results; ///< in slots; empty: refused
  };
  std::vector<std::pair<std::string, Entry>> entries; ///< by probe name

  const Entry *find(const std::string &name) const;
};

uint64_t hashOf(const Probe &probe);

/// Runs every probe. One that the device refuses is kept as refused, with the reason in `refusals`.
Result<Recording> record(Device &device, std::vector<std::string> &refusals);

std::string serialise(const Recording &recording);
/// Every length is checked. Probes that are no longer in the table are left out.
Result<Recording> parseRecording(std::string_view bytes);

/// Where results differ by more than the probe allows: one line each, "" where they agree.
std::string compare(const Probe &probe, const std::vector<uint64_t> &recorded,
                    const std::vector<uint64_t> &found);

} // namespace sparsec::testing
