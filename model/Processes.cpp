#include "model/Processes.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace sparsec {

namespace {

constexpr int kMostPort = 65535;
constexpr std::chrono::seconds kPatience(300); // for all processes to come
constexpr std::chrono::milliseconds kPause(50);

/// What a process says first.
struct Greeting {
  std::array<char, 8> word = {'s', 'p', 'a', 'r', 's', 'e', 'c', '1'};
  int32_t rank = 0, count = 0;
};

Error socketError(std::string_view what) {
  return machineError(fmt::format("{}: {}", what, std::strerror(errno)));
}

/// A variable as a number; `fallback` where it is not set.
Result<int> number(const char *name, int low, int high, std::optional<int> fallback = {}) {
  const char *text = std::getenv(name);
  if (!text && fallback)
    return *fallback;
  int value = 0;
  std::string_view given = text ? text : "";
  auto [end, failure] = std::from_chars(given.data(), given.data() + given.size(), value);
  if (failure != std::errc() || end != given.data() + given.size() || value < low || value > high)
    return inputError(fmt::format("{}: expected a number from {} to {}, found {}", name, low, high,
                                  text ? fmt::format("'{}'", text) : "none"));
  return value;
}

void sendAtOnce(int socket) {
  int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

struct Addresses {
  addrinfo *first = nullptr;
  ~Addresses() {
    if (first)
      freeaddrinfo(first);
  }
};
Result<void> find(const ProcessPlace &place, int flags, Addresses &found) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  int status = getaddrinfo(flags & AI_PASSIVE ? nullptr : place.address.c_str(),
                           fmt::format("{}", place.port).c_str(), &hints, &found.first);
  if (status != 0)
    return machineError(fmt::format("{}: {}", place.address, gai_strerror(status)));
  return {};
}

} // namespace

Result<std::optional<ProcessPlace>> ProcessPlace::fromEnvironment() {
  if (!std::getenv("RANK") && !std::getenv("WORLD_SIZE"))
    return std::optional<ProcessPlace>();
  constexpr int kMost = 65535;
  ProcessPlace place;
  auto count = number("WORLD_SIZE", 1, kMost);
  if (!count)
    return count.error();
  auto rank = number("RANK", 0, *count - 1);
  if (!rank)
    return rank.error();
  auto localRank = number("LOCAL_RANK", 0, kMost, *rank);
  if (!localRank)
    return localRank.error();
  auto localCount = number("LOCAL_WORLD_SIZE", 1, kMost, *count);
  if (!localCount)
    return localCount.error();
  const char *address = std::getenv("MASTER_ADDR");
  if (!address)
    return inputError("MASTER_ADDR: expected the address of the first process, found none");
  auto port = number("MASTER_PORT", 1, kMostPort - 1);
  if (!port)
    return port.error();
  const char *store = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  int taken = store && std::string_view(store) == "True" ? 1 : 0;
  return std::optional<ProcessPlace>({.rank = *rank,
                                      .count = *count,
                                      .localRank = *localRank,
                                      .localCount = *localCount,
                                      .address = address,
                                      .port = *port + taken});
}

Result<std::shared_ptr<Processes>> Processes::open(const ProcessPlace &place) {
  std::shared_ptr<Processes> made(new Processes(place));
  made->sockets.assign(static_cast<size_t>(place.count), -1);
  if (place.count == 1)
    return made;
  if (Result<void> ready = place.rank == 0 ? made->listen() : made->connect(); !ready)
    return ready.error();
  return made;
}

Processes::~Processes() {
  for (int each : sockets)
    if (each >= 0)
      close(each);
}

Result<void> Processes::listen() {
  Addresses found;
  if (Result<void> ok = find(place, AI_PASSIVE, found); !ok)
    return ok;
  int listening = -1;
  for (addrinfo *each = found.first; each && listening < 0; each = each->ai_next) {
    int made = socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, each->ai_protocol);
    int on = 1;
    if (made >= 0 && setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(made, each->ai_addr, each->ai_addrlen) == 0 && ::listen(made, place.count) == 0)
      listening = made;
    else if (made >= 0)
      close(made);
  }
  if (listening < 0)
    return socketError(fmt::format("port {} cannot be listened at", place.port));
  timeval patience = {.tv_sec = kPatience.count(), .tv_usec = 0};
  setsockopt(listening, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::optional<Error> failure;
  for (int missing = place.count - 1; missing > 0 && !failure; --missing) {
    int other = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
    if (other < 0) {
      failure = socketError(fmt::format("{} of {} processes did not come", missing, place.count));
      break;
    }
    sendAtOnce(other);
    Greeting theirs;
    bool whole = recv(other, &theirs, sizeof theirs, MSG_WAITALL) == sizeof theirs &&
                 theirs.word == Greeting().word;
    if (!whole || theirs.count != place.count || theirs.rank < 1 || theirs.rank >= place.count ||
        sockets[static_cast<size_t>(theirs.rank)] >= 0) {
      close(other);
      failure = inputError(
          whole ? fmt::format("expected processes 1 to {} of {}, each once, found {} of {}",
                              place.count - 1, place.count, theirs.rank, theirs.count)
                : fmt::format("port {}: what connects is no sparsec", place.port));
      break;
    }
    sockets[static_cast<size_t>(theirs.rank)] = other;
  }
  close(listening);
  if (failure)
    return *failure;
  return {};
}

Result<void> Processes::connect() {
  Addresses found;
  if (Result<void> ok = find(place, 0, found); !ok)
    return ok;
  auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) { // the first process may come later
    for (addrinfo *each = found.first; each; each = each->ai_next) {
      int made = socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, each->ai_protocol);
      if (made >= 0 && ::connect(made, each->ai_addr, each->ai_addrlen) == 0) {
        sendAtOnce(made);
        sockets[0] = made;
        Greeting own{.rank = place.rank, .count = place.count};
        return send(0, std::as_bytes(std::span(&own, 1)));
      }
      if (made >= 0)
        close(made);
    }
    if (std::chrono::steady_clock::now() > deadline)
      return socketError(
          fmt::format("{}:{}: the first process does not answer", place.address, place.port));
    std::this_thread::sleep_for(kPause);
  }
}

Result<void> Processes::send(int to, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    ssize_t put =
        ::send(sockets[static_cast<size_t>(to)], bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR)
      continue;
    if (put <= 0)
      return machineError(fmt::format("process {} of {} has gone", to, place.count));
    bytes = bytes.subspan(static_cast<size_t>(put));
  }
  return {};
}

Result<void> Processes::receive(int from, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    ssize_t got = recv(sockets[static_cast<size_t>(from)], bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return machineError(fmt::format("process {} of {} has gone", from, place.count));
    bytes = bytes.subspan(static_cast<size_t>(got));
  }
  return {};
}

/// A piece at a time, so that nobody waits for the whole. Each process waits for the first's answer
/// before it sends more.
template <class T>
Result<void> Processes::sumOf(std::span<T> values) {
  constexpr size_t kPiece = size_t(1) << 18;
  std::vector<T> others;
  for (size_t begin = 0; place.count > 1 && begin < values.size(); begin += kPiece) {
    std::span<T> piece = values.subspan(begin, std::min(kPiece, values.size() - begin));
    if (place.rank > 0) {
      if (Result<void> ok = send(0, std::as_bytes(piece)); !ok)
        return ok;
      if (Result<void> ok = receive(0, std::as_writable_bytes(piece)); !ok)
        return ok;
      continue;
    }
    others.resize(piece.size());
    for (int rank = 1; rank < place.count; ++rank) {
      if (Result<void> ok = receive(rank, std::as_writable_bytes(std::span(others))); !ok)
        return ok;
      for (size_t i = 0; i < piece.size(); ++i)
        piece[i] += others[i];
    }
    for (int rank = 1; rank < place.count; ++rank)
      if (Result<void> ok = send(rank, std::as_bytes(piece)); !ok)
        return ok;
  }
  return {};
}
template Result<void> Processes::sumOf(std::span<float> values);
template Result<void> Processes::sumOf(std::span<double> values);

Result<void> Processes::broadcast(std::span<std::byte> bytes) {
  if (place.rank > 0)
    return receive(0, bytes);
  for (int rank = 1; rank < place.count; ++rank)
    if (Result<void> ok = send(rank, bytes); !ok)
      return ok;
  return {};
}

} // namespace sparsec
