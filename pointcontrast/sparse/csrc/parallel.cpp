#include "parallel.h"

#include <system_error>
#include <thread>
#include <vector>

namespace pointcontrast {
namespace {

// GOMP_parallel of GNU's OpenMP runtime, which LLVM's and Intel's offer too.
using GompParallel = void (*)(Work work, void* context, unsigned num_threads, unsigned flags);
std::atomic<GompParallel> gomp_parallel{nullptr};

}  // namespace

void run_on_threads(int num_threads, Work work, void* context) {
  if (const auto lent = gomp_parallel.load(std::memory_order_acquire)) {
    lent(work, context, static_cast<unsigned>(num_threads), 0);
    return;
  }
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(num_threads));
  try {
    while (static_cast<int>(threads.size()) < num_threads - 1) threads.emplace_back(work, context);
  } catch (const std::system_error&) {
    // No more threads: those that started, and this one, do all the work.
  }
  work(context);
  for (auto& thread : threads) thread.join();
}

}  // namespace pointcontrast

// Borrow the threads of an OpenMP runtime: the address of its GOMP_parallel, or null for our own.
extern "C" void pointcontrast_lend_threads(void* gomp_parallel) {
  pointcontrast::gomp_parallel.store(
      reinterpret_cast<pointcontrast::GompParallel>(gomp_parallel), std::memory_order_release);
}
