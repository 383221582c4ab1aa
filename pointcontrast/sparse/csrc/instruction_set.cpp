// Selection of the instruction set, and the functions that Python calls.

#include <atomic>
#include <cstring>

#include "kernels.h"

namespace pointcontrast {
namespace {

struct InstructionSet {
  const char* name;
  const Kernels* kernels;
  const ProductsOf<Bfloat16Pair>* of_bfloat16;  // by one instruction, or null
  bool (*runs_here)();
};

#if defined(__x86_64__)
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}
#endif

// The fastest first.
const InstructionSet kInstructionSets[] = {
#if POINTCONTRAST_HAS_AVX512_BF16
    {"avx512_bf16", &kAvx512Kernels, &kAvx512Bf16Products,
     [] { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }},
#endif
#if defined(__x86_64__)
    {"avx512", &kAvx512Kernels, nullptr, has_avx512},
    {"avx2", &kAvx2Kernels, nullptr,
     [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }},
#endif
#if defined(__aarch64__)
    {"neon", &kPortableKernels, nullptr, [] { return true; }},
#endif
    {"portable", &kPortableKernels, nullptr, [] { return true; }},
};

const InstructionSet* find(const char* name) {
#if defined(__x86_64__)
  __builtin_cpu_init();
#endif
  for (const auto& set : kInstructionSets)
    if (set.runs_here() && (*name == '\0' || std::strcmp(name, set.name) == 0)) return &set;
  return nullptr;
}

std::atomic<const InstructionSet*> chosen{nullptr};

const InstructionSet& in_use() {
  const auto* set = chosen.load(std::memory_order_acquire);
  if (!set) chosen.store(set = find(""), std::memory_order_release);
  return *set;
}

const Kernels& kernels() { return *in_use().kernels; }

const ProductsOf<float>& products_of_float() { return kernels().of_float.products; }
const ProductsOf<double>& products_of_double() { return kernels().of_double.products; }
const ProductsOf<Bfloat16Pair>& products_of_bfloat16() {
  const InstructionSet& set = in_use();
  return set.of_bfloat16 ? *set.of_bfloat16 : set.kernels->of_bfloat16;
}

}  // namespace
}  // namespace pointcontrast

extern "C" {

// Whether kernels of that name exist and run on this processor.
int pointcontrast_has(const char* name) { return pointcontrast::find(name) != nullptr; }

// Select the kernels of that name, or the fastest that run here if it is empty. Returns whether
// there are any.
int pointcontrast_choose_instruction_set(const char* name) {
  const auto* set = pointcontrast::find(name);
  if (set) pointcontrast::chosen.store(set, std::memory_order_release);
  return set != nullptr;
}

const char* pointcontrast_instruction_set() { return pointcontrast::in_use().name; }

// Whether the selected kernels multiply bfloat16 by an instruction, not as floats.
int pointcontrast_has_bfloat16() { return pointcontrast::in_use().of_bfloat16 != nullptr; }

// Floating-point operations per second of the selected instructions in registers alone.
double pointcontrast_peak(double seconds, int num_threads) {
  return 2 * pointcontrast::kernels().of_float.peak(seconds, num_threads);
}

// The functions below return 0, or -1 if memory ran out.
#define POINTCONTRAST_PRODUCTS_OF(name, type)                                                     \
  int pointcontrast_convolve_##name(const pointcontrast::Convolution<type>* work,                 \
                                    int num_threads) {                                            \
    return pointcontrast::products_of_##name().convolve(*work, num_threads);                      \
  }                                                                                               \
  int pointcontrast_kernel_gradient_##name(const pointcontrast::KernelGradient<type>* work,       \
                                           int num_threads) {                                     \
    return pointcontrast::products_of_##name().kernel_gradient(*work, num_threads);               \
  }

#define POINTCONTRAST_NORMALIZATION_OF(type)                                                      \
  int pointcontrast_statistics_##type(const type* in, std::int64_t rows, std::int64_t channels,   \
                                      type* mean, type* variance, int num_threads) {              \
    return pointcontrast::kernels().of_##type.statistics(in, rows, channels, mean, variance,      \
                                                         num_threads);                            \
  }                                                                                               \
  int pointcontrast_normalize_##type(const pointcontrast::Normalization<type>* work,              \
                                     int num_threads) {                                           \
    return pointcontrast::kernels().of_##type.normalize(*work, num_threads);                      \
  }                                                                                               \
  int pointcontrast_normalize_gradient_##type(                                                    \
      const pointcontrast::NormalizationGradient<type>* work, int num_threads) {                  \
    return pointcontrast::kernels().of_##type.normalize_gradient(*work, num_threads);             \
  }

POINTCONTRAST_PRODUCTS_OF(float, float)
POINTCONTRAST_PRODUCTS_OF(double, double)
POINTCONTRAST_PRODUCTS_OF(bfloat16, pointcontrast::Bfloat16Pair)
POINTCONTRAST_NORMALIZATION_OF(float)
POINTCONTRAST_NORMALIZATION_OF(double)

}  // extern "C"
