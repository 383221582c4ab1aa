// Voxels of points, and the set of voxels seen before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

// A function that is also compiled for AVX2 and selected on loading, if the compiler can: the same
// operations, more of them at once. Contraction stays off, so the results are the same, bit for
// bit.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__)
#define POINTCONTRAST_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define POINTCONTRAST_WIDE
#endif

namespace pointcontrast {

// Open addressing over 64-bit keys. Keys are voxel numbers below 2^63; -1 marks a free slot.
// It grows, because many points share few voxels, and a table that fits into the cache is fast.
class KeyTable {
 public:
  KeyTable() : mask_(1023), slots_(mask_ + 1, Slot{-1, -1}) {}

  // The value of a key; a new key gets `value` and sets `is_new`. Valid until the next call.
  std::int32_t& insert(std::int64_t key, std::int32_t value, bool& is_new) {
    Slot* slot = look_up(key);
    is_new = slot->key == -1;
    if (!is_new) return slot->value;
    if (2 * ++count_ > mask_) {
      grow();
      slot = look_up(key);
    }
    *slot = Slot{key, value};
    return slot->value;
  }

  // The value of a key, or -1.
  std::int32_t find(std::int64_t key) const {
    return const_cast<KeyTable*>(this)->look_up(key)->value;
  }

 private:
  struct Slot {
    std::int64_t key;
    std::int32_t value;
  };

  // The slot of a key, or the free slot for it.
  Slot* look_up(std::int64_t key) {
    // Neighbouring voxels have neighbouring keys, so a product is taken and its high bits decide.
    std::size_t at = static_cast<std::size_t>(
                         (static_cast<std::uint64_t>(key) * 0x9E3779B97F4A7C15ull) >> 24) &
                     mask_;
    while (slots_[at].key != -1 && slots_[at].key != key) at = (at + 1) & mask_;
    return &slots_[at];
  }

  void grow() {
    std::vector<Slot> old(4 * slots_.size(), Slot{-1, -1});
    old.swap(slots_);
    mask_ = slots_.size() - 1;
    for (const Slot& slot : old)
      if (slot.key != -1) *look_up(slot.key) = slot;
  }

  std::size_t mask_, count_ = 0;
  std::vector<Slot> slots_;
};

// The voxels of `n` coordinates: floor(value / size), which must fit. Without a library call,
// because old x86 has no instruction for floor, so that the compiler can vectorize it.
inline void voxels_of(const float* values, std::int64_t n, float size, std::int32_t* voxels) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float scaled = values[i] / size;
    const auto cut = static_cast<std::int32_t>(scaled);
    voxels[i] = cut - (scaled < static_cast<float>(cut));
  }
}

// Numbering of voxels within bounds: `lower` the smallest along each axis, `extent` their number.
struct VoxelBox {
  const std::int64_t* lower;
  const std::int64_t* extent;

  std::int64_t key(std::int64_t x, std::int64_t y, std::int64_t z) const {
    return ((x - lower[0]) * extent[1] + (y - lower[1])) * extent[2] + (z - lower[2]);
  }
  double num_voxels() const {
    return static_cast<double>(extent[0]) * static_cast<double>(extent[1]) *
           static_cast<double>(extent[2]);
  }
};

// The set of voxels seen, one bit each; an access costs a fraction of that to a table.
class BitMap {
 public:
  explicit BitMap(std::int64_t num_bits) : words_(static_cast<std::size_t>(num_bits / 64 + 1)) {}

  // Whether this is the first call with `key`.
  bool insert(std::int64_t key) {
    std::uint64_t& word = words_[static_cast<std::size_t>(key >> 6)];
    const std::uint64_t bit = std::uint64_t{1} << (key & 63);
    if (word & bit) return false;
    word |= bit;
    return true;
  }

 private:
  std::vector<std::uint64_t> words_;
};

// The same for too many voxels to have a bit each.
class KeySet {
 public:
  bool insert(std::int64_t key) {
    bool is_new;
    table_.insert(key, 0, is_new);
    return is_new;
  }

 private:
  KeyTable table_;
};

// Calls `work` with an empty set for the voxels of `box`.
template <class Work>
auto with_empty_set(const VoxelBox& box, Work work) {
  constexpr double kMaxBits = 1 << 27;  // 16 MB
  if (box.num_voxels() > kMaxBits) return work(KeySet());
  return work(BitMap(box.extent[0] * box.extent[1] * box.extent[2]));
}

}  // namespace pointcontrast
