// Peak performance of the processor. Included by kernels.inl.

// Chains of multiply-adds that never leave the registers, as many as a tile has.
template <typename T>
double peak(double seconds, int num_threads) {
  using Clock = std::chrono::steady_clock;
  constexpr int kChains = kRows * kVectors;
  constexpr std::int64_t kSteps = 20000;
  std::atomic<std::int64_t> steps{0};
  const auto start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  for_each_task(num_threads, num_threads, [&](std::int64_t, int) {
    Vector<T> chain[kChains], factor = Vector<T>{} + T(1), term = Vector<T>{};
    for (auto& value : chain) value = Vector<T>{} + T(1);
    std::int64_t here = 0;
    do {
      asm volatile("" : "+m"(factor), "+m"(term));  // not known to the compiler
      const Vector<T> by = factor, plus = term;
      for (std::int64_t step = 0; step < kSteps; ++step)
        for (auto& value : chain) value = value * by + plus;
      here += kSteps;
    } while (elapsed() < seconds);
    for (auto& value : chain) asm volatile("" : "+m"(value));  // not dead
    steps += here;
  });
  return static_cast<double>(steps.load()) * kChains * kLanes<T> / elapsed();
}
