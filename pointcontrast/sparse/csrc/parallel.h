// Work shared among threads: those of the caller's OpenMP runtime if it lends them, else new ones.
// Torch's threads wait actively for a while after each operation; a second pool would compete for
// the same cores.

#pragma once

#include <atomic>
#include <cstdint>

namespace pointcontrast {

using Work = void (*)(void* context);

// Runs work(context) on up to num_threads threads at once, including this one, and waits for all.
// May run on fewer threads: work must take its share from a common counter.
void run_on_threads(int num_threads, Work work, void* context);

// Calls body(task, worker) once for every task in [0, num_tasks) on up to num_threads threads.
// Simultaneous calls have different workers < num_threads. Tasks start in order; a free thread
// takes the next one. body must not throw.
template <typename Body>
void for_each_task(std::int64_t num_tasks, int num_threads, const Body& body) {
  if (num_threads > num_tasks) num_threads = static_cast<int>(num_tasks);
  if (num_threads <= 1) {
    for (std::int64_t task = 0; task < num_tasks; ++task) body(task, 0);
    return;
  }
  struct Context {
    const Body* body;
    std::int64_t num_tasks;
    std::atomic<std::int64_t> next_task{0};
    std::atomic<int> next_worker{0};
  } context;
  context.body = &body;
  context.num_tasks = num_tasks;
  run_on_threads(
      num_threads,
      [](void* pointer) {
        auto& shared = *static_cast<Context*>(pointer);
        const int worker = shared.next_worker.fetch_add(1, std::memory_order_relaxed);
        for (;;) {
          const auto task = shared.next_task.fetch_add(1, std::memory_order_relaxed);
          if (task >= shared.num_tasks) return;
          (*shared.body)(task, worker);
        }
      },
      &context);
}

}  // namespace pointcontrast
