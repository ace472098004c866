#include "tests/runtime/recorder/Recording.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

namespace sparsec::testing {

namespace {

constexpr std::string_view magic = "sparsec-ptx-recording 1\n";

void addHash(uint64_t &hash, const void *bytes, size_t count) {
  for (size_t i = 0; i < count; ++i)
    hash = (hash ^ static_cast<const unsigned char *>(bytes)[i]) * 0x100000001b3u;
}

template <class T>
void put(std::string &out, T value) {
  out.append(reinterpret_cast<const char *>(&value), sizeof value);
}

/// Takes from the front; false when there is not enough.
template <class T>
bool take(std::string_view &bytes, T &value, size_t count = sizeof(T)) {
  if (bytes.size() < count)
    return false;
  value = {};
  std::memcpy(&value, bytes.data(), count);
  bytes.remove_prefix(count);
  return true;
}

double valueOf(Kind kind, uint64_t bits) {
  return kind == Kind::F64 ? std::bit_cast<double>(bits) : std::bit_cast<float>(uint32_t(bits));
}

/// Both may be off by the bound, so they may differ by twice as much. Infinities and NaN are never
/// approximate.
bool agrees(const Probe &probe, Kind kind, uint64_t a, uint64_t b) {
  if (a == b)
    return true;
  if (probe.tolerance.exact())
    return false;
  double x = valueOf(kind, a), y = valueOf(kind, b);
  if (!std::isfinite(x) || !std::isfinite(y))
    return std::isnan(x) && std::isnan(y);
  return std::fabs(x - y) <= 2 * (probe.tolerance.relative * std::max(std::fabs(x), std::fabs(y)) +
                                  probe.tolerance.absolute);
}

const Probe *findProbe(const std::string &name) {
  for (const Probe &probe : probes())
    if (probe.name == name)
      return &probe;
  return nullptr;
}

} // namespace

const Recording::Entry *Recording::find(const std::string &name) const {
  for (const auto &[entryName, entry] : entries)
    if (entryName == name)
      return &entry;
  return nullptr;
}

uint64_t hashOf(const Probe &probe) {
  uint64_t hash = 0xcbf29ce484222325u;
  std::string ptx = probePtx(probe);
  std::vector<uint64_t> operands = probeOperands(probe);
  addHash(hash, ptx.data(), ptx.size());
  addHash(hash, operands.data(), operands.size() * 8);
  return hash;
}

Result<Recording> record(Device &device, std::vector<std::string> &refusals) {
  Recording recording;
  recording.device = device.description();
  for (const Probe &probe : probes()) {
    Recording::Entry entry{hashOf(probe), {}};
    Result<std::vector<uint64_t>> results = runProbe(probe, device);
    if (results)
      entry.results = std::move(*results);
    else
      refusals.push_back(probe.name + ": " + results.error().render());
    recording.entries.emplace_back(probe.name, std::move(entry));
  }
  if (refusals.size() == recording.entries.size()) {
    Error error = machineError("the device runs no probe at all");
    error.notes.push_back(refusals.front());
    return error;
  }
  return recording;
}

std::string serialise(const Recording &recording) {
  std::string out = std::string(magic) + recording.device + "\n";
  for (const auto &[name, entry] : recording.entries) {
    const Probe *probe = findProbe(name);
    put(out, uint16_t(name.size()));
    out += name;
    put(out, entry.hash);
    put(out, uint32_t(0)); // length of the results, set below
    size_t begin = out.size();
    for (size_t i = 0; i < entry.results.size(); ++i)
      out.append(reinterpret_cast<const char *>(&entry.results[i]),
                 bytes(probe->results[i / probeThreads]));
    uint32_t length = uint32_t(out.size() - begin);
    std::memcpy(&out[begin - 4], &length, 4);
  }
  return out;
}

Result<Recording> parseRecording(std::string_view bytes) {
  Error damaged = inputError("the recording is damaged");
  if (bytes.substr(0, magic.size()) != magic)
    return inputError("expected a file that starts with 'sparsec-ptx-recording 1'");
  bytes.remove_prefix(magic.size());
  size_t line = bytes.find('\n');
  if (line == std::string_view::npos)
    return damaged;
  Recording recording;
  recording.device = bytes.substr(0, line);
  bytes.remove_prefix(line + 1);
  while (!bytes.empty()) {
    uint16_t nameLength = 0;
    uint32_t length = 0;
    Recording::Entry entry;
    if (!take(bytes, nameLength) || bytes.size() < nameLength)
      return damaged;
    std::string name(bytes.substr(0, nameLength));
    bytes.remove_prefix(nameLength);
    if (!take(bytes, entry.hash) || !take(bytes, length) || bytes.size() < length)
      return damaged;
    std::string_view values = bytes.substr(0, length);
    bytes.remove_prefix(length);
    const Probe *probe = findProbe(name);
    if (!probe || entry.hash != hashOf(*probe))
      continue;
    for (Kind kind : probe->results)
      for (int i = 0; i < probeThreads && !values.empty(); ++i) {
        entry.results.emplace_back();
        if (!take(values, entry.results.back(), size_t(sparsec::testing::bytes(kind))))
          return damaged;
      }
    size_t expected = probe->results.size() * probeThreads;
    if (!values.empty() || (!entry.results.empty() && entry.results.size() != expected))
      return damaged;
    recording.entries.emplace_back(std::move(name), std::move(entry));
  }
  return recording;
}

std::string compare(const Probe &probe, const std::vector<uint64_t> &recorded,
                    const std::vector<uint64_t> &found) {
  std::vector<uint64_t> operands = probeOperands(probe);
  std::string differences;
  int count = 0;
  for (size_t i = 0; i < recorded.size(); ++i) {
    Kind kind = probe.results[i / probeThreads];
    if (agrees(probe, kind, recorded[i], found[i]) || ++count > 4)
      continue;
    size_t thread = i % probeThreads;
    differences += fmt::format("{} thread {} result {}: recorded {:#x}, found {:#x}; operands",
                               probe.name, thread, i / probeThreads, recorded[i], found[i]);
    for (size_t k = 0; k < probe.operands.size(); ++k)
      differences += fmt::format(" {:#x}", operands[k * probeThreads + thread]);
    differences += "\n";
  }
  if (count > 4)
    differences += fmt::format("{}: {} more\n", probe.name, count - 4);
  return differences;
}

} // namespace sparsec::testing
