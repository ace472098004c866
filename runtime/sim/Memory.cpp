#include "runtime/sim/Memory.h"

#include <fmt/core.h>

#include <cstring>
#include <new>

namespace sparsec::sim {

bool Allocation::isWritten(uint64_t offset, uint64_t bytes) const {
  if (allWritten)
    return true;
  // Accesses are aligned and at most 16 bytes: they stay within a word.
  uint64_t mask = ((uint64_t(1) << bytes) - 1) << (offset & 63);
  return (written[offset >> 6] & mask) == mask;
}

void Allocation::markWritten(uint64_t offset, uint64_t bytes) {
  if (allWritten)
    return;
  if (offset == 0 && bytes == size) {
    allWritten = true;
    return;
  }
  for (uint64_t at = offset, end = offset + bytes; at < end;) {
    uint64_t count = std::min(64 - (at & 63), end - at);
    uint64_t ones = count == 64 ? ~uint64_t(0) : (uint64_t(1) << count) - 1;
    written[at >> 6] |= ones << (at & 63);
    at += count;
  }
}

ShadowPointer Allocation::shadow(uint64_t offset, uint64_t serial) {
  Page &page = pages[offset / (4 * ShadowPage::granules)];
  if (page.serial != serial) {
    if (!page.shadow)
      page.shadow = std::make_unique<ShadowPage>();
    else
      *page.shadow = {};
    page.serial = serial;
  }
  return page.shadow->at(offset / 4 % ShadowPage::granules);
}

Result<uint64_t> Memory::allocate(uint64_t bytes) {
  if (bytes > uint64_t(1) << 40)
    return machineError(fmt::format("cannot allocate {} bytes on sim", bytes));
  auto made = std::make_unique<Allocation>();
  made->base = next;
  made->size = bytes;
  uint64_t room = (bytes + 15) / 16 * 16;
  made->data.reset(new (std::nothrow) uint8_t[room ? room : 1]);
  if (!made->data)
    return machineError(fmt::format("cannot allocate {} bytes on sim: out of memory", bytes));
  std::memset(made->data.get(), poisonByte, room);
  made->written.resize((bytes + 63) / 64 + 1);
  made->pages.resize(bytes / (4 * ShadowPage::granules) + 1);
  // A gap after every allocation: an index slightly past the end hits nothing.
  next += (bytes + (1 << 16) + 255) / 256 * 256;
  uint64_t base = made->base;
  allocations.emplace(base, std::move(made));
  return base;
}

Result<void> Memory::free(uint64_t address) {
  auto found = allocations.find(address);
  if (found == allocations.end())
    return inputError(
        fmt::format("free of {:#x}, which is not the start of an allocation", address));
  freed[address] = found->second->size;
  allocations.erase(found);
  last = nullptr;
  return {};
}

Allocation *Memory::find(uint64_t address, uint64_t bytes) {
  auto holds = [&](const Allocation &a) {
    return address >= a.base && address - a.base <= a.size && bytes <= a.size - (address - a.base);
  };
  if (last && holds(*last))
    return last;
  auto after = allocations.upper_bound(address);
  if (after == allocations.begin())
    return nullptr;
  Allocation &found = *std::prev(after)->second;
  return holds(found) ? last = &found : nullptr;
}

std::string Memory::describe(uint64_t address) const {
  if (auto after = freed.upper_bound(address); after != freed.begin()) {
    auto [base, size] = *std::prev(after);
    if (address < base + size)
      return fmt::format("in freed memory ({} bytes at {:#x})", size, base);
  }
  auto after = allocations.upper_bound(address);
  if (after != allocations.begin()) {
    const Allocation &below = *std::prev(after)->second;
    uint64_t end = below.base + below.size;
    if (address >= end && address - end < 1 << 16)
      return fmt::format("{} bytes past the end of an allocation of {} bytes", address - end,
                         below.size);
    if (address < end)
      return fmt::format("{} bytes before the end of an allocation of {} bytes", end - address,
                         below.size);
  }
  if (after != allocations.end() && after->second->base - address < 1 << 16)
    return fmt::format("{} bytes before an allocation of {} bytes", after->second->base - address,
                       after->second->size);
  return "in no allocation";
}

} // namespace sparsec::sim
