// Temporary memory of a kernel, kept by each calling thread for the next call: fresh pages from the
// system cost more than the work done in them.

#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace pointcontrast {

constexpr std::size_t kCacheLine = 64;

// At least `bytes`, aligned to a cache line, or null if memory ran out. The next call on this
// thread returns the same memory again.
inline void* scratch(std::size_t bytes) {
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  thread_local std::unique_ptr<void, Free> memory;
  thread_local std::size_t size = 0;
  if (bytes > size) {
    memory.reset();
    size = (bytes + kCacheLine - 1) / kCacheLine * kCacheLine;
    memory.reset(std::aligned_alloc(kCacheLine, size));
    if (!memory) size = 0;
  }
  return memory.get();
}

}  // namespace pointcontrast
