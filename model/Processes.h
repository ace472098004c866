// The processes that train one model together, as torchrun starts them: a socket from each to the
// first, over which numbers are added.
//
//   RANK=1 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 sparsec train ...
//
//   auto place = ProcessPlace::fromEnvironment();      rank 1 of 2; none where RANK is not set
//   auto processes = Processes::open(*place);          waits for the others
//   processes->sum(values);                            of all, rank after rank: the same bits in each
//
// Under torchrun, whose own store listens at MASTER_PORT, the port after it is taken. Refused:
// variables that are missing or no numbers; others of another size. A process that goes away is an
// error in all others. The machines must have the same order of bytes.
#pragma once

#include "patterns/Error.h"

#include <cstdint>
#include <span>

namespace sparsec {

struct ProcessPlace {
  int rank = 0, count = 1;
  int localRank = 0, localCount = 1; ///< of those on this machine
  std::string address;               ///< of the first process's machine
  int port = 0;                      ///< that it listens at

  static Result<std::optional<ProcessPlace>> fromEnvironment();
};

class Processes {
public:
  static Result<std::shared_ptr<Processes>> open(const ProcessPlace &place);
  Processes(const Processes &) = delete;
  Processes &operator=(const Processes &) = delete;
  ~Processes();

  int rank() const { return place.rank; }
  int count() const { return place.count; }

  /// The sum over all processes, in each of them.
  Result<void> sum(std::span<float> values) { return sumOf(values); }
  Result<void> sum(std::span<double> values) { return sumOf(values); }
  /// What the first process has.
  Result<void> broadcast(std::span<std::byte> bytes);

private:
  explicit Processes(const ProcessPlace &place) : place(place) {}
  Result<void> listen();
  Result<void> connect();
  Result<void> send(int to, std::span<const std::byte> bytes);
  Result<void> receive(int from, std::span<std::byte> bytes);
  template <class T>
  Result<void> sumOf(std::span<T> values);

  ProcessPlace place;
  std::vector<int> sockets; ///< by rank; of a process that is not the first only the first's
};

} // namespace sparsec
