// Numbers for the occupied cells of a grid: 0, 1, ... in the order of their first points.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pointcontrast {

// Three cell indices of 21 bits share one key. Indices are at least 0; a key is never negative.
constexpr int kCellBits = 21;
constexpr std::int64_t kCellMask = (std::int64_t{1} << kCellBits) - 1;

inline std::int64_t cell_key(std::int64_t x, std::int64_t y, std::int64_t z) {
  // Multiplied, not shifted: offsets between cells, which may be negative, are computed here, too.
  return (x * (kCellMask + 1) + y) * (kCellMask + 1) + z;
}

// Open addressing that grows with its content: few of the many points are the first in their cell.
class CellNumbers {
 public:
  CellNumbers() { resize(1 << 12); }

  std::int32_t insert(std::int64_t key) {
    Slot* slot = look_up(key);
    if (slot->key == key) return slot->number;
    const auto number = static_cast<std::int32_t>(keys_.size());
    *slot = Slot{key, number};
    keys_.push_back(key);
    if (2 * keys_.size() > slots_.size()) resize(4 * slots_.size());
    return number;
  }

  // The key of each number.
  const std::vector<std::int64_t>& keys() const { return keys_; }

 private:
  struct Slot {
    std::int64_t key;
    std::int32_t number;
  };

  // The slot of a key, or the free slot for it.
  Slot* look_up(std::int64_t key) {
    // Neighbouring cells have neighbouring keys, so a product is taken and its high bits decide.
    auto at = static_cast<std::size_t>(
        (static_cast<std::uint64_t>(key) * 0x9E3779B97F4A7C15ull) >> shift_);
    while (slots_[at].key != -1 && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
    return &slots_[at];
  }

  void resize(std::size_t size) {
    slots_.assign(size, Slot{-1, -1});
    shift_ = 64;
    for (std::size_t rest = size; rest > 1; rest /= 2) --shift_;
    for (std::size_t number = 0; number < keys_.size(); ++number)
      *look_up(keys_[number]) = Slot{keys_[number], static_cast<std::int32_t>(number)};
  }

  int shift_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::int64_t> keys_;
};

}  // namespace pointcontrast
