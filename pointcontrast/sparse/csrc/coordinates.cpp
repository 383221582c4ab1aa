// Coordinate sets and kernel maps. A coordinate becomes one number that keeps the order of space,
// batch first; each set is sorted once. A step of the kernel adds a constant to every number, so
// the queries of one tap are sorted too, and finding the meetings is one merge of two sorted lists,
// without a hash table and its scattered reads.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

#include "kernels.h"
#include "parallel.h"

namespace pointcontrast {
namespace {

// How coordinates become numbers: sum over columns of (coordinate / unit - lower) * radix. All
// coordinates are whole multiples of the unit.
struct Packing {
  const std::int64_t* unit;
  const std::int64_t* lower;
  const std::int64_t* radix;
  std::int64_t columns;

  std::int64_t key(const std::int32_t* coordinates) const {
    std::int64_t key = 0;
    for (std::int64_t c = 0; c < columns; ++c) {
      const std::int64_t place =
          unit[c] == 1 ? coordinates[c] : coordinates[c] / static_cast<std::int32_t>(unit[c]);
      key += (place - lower[c]) * radix[c];
    }
    return key;
  }
};

struct Entry {
  std::uint64_t key;
  std::int32_t row;
};

// Entries in the order of their keys, 11 bits at a time; equal keys stay as they were.
void sort_entries(std::vector<Entry>& entries) {
  std::uint64_t largest = 0;
  bool sorted = true;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    largest = std::max(largest, entries[i].key);
    sorted = sorted && (i == 0 || entries[i - 1].key <= entries[i].key);
  }
  if (sorted) return;
  constexpr int kBits = 11;
  constexpr std::size_t kBuckets = std::size_t{1} << kBits;
  std::vector<Entry> other(entries.size());
  std::vector<std::size_t> start(kBuckets);
  for (int shift = 0; shift < 64 && (largest >> shift) != 0; shift += kBits) {
    std::fill(start.begin(), start.end(), 0);
    for (const auto& entry : entries) ++start[(entry.key >> shift) & (kBuckets - 1)];
    std::size_t sum = 0;
    for (auto& count : start) sum += std::exchange(count, sum);
    for (const auto& entry : entries) other[start[(entry.key >> shift) & (kBuckets - 1)]++] = entry;
    entries.swap(other);
  }
}

// Keys of a set in the order of space.
std::vector<std::int64_t> sorted_keys(const Packing& packing, const std::int32_t* coordinates,
                                      const std::int32_t* order, std::int64_t rows,
                                      int num_threads) {
  std::vector<std::int64_t> keys(static_cast<std::size_t>(rows));
  constexpr std::int64_t kRowsATask = 1 << 14;
  for_each_task((rows + kRowsATask - 1) / kRowsATask, num_threads, [&](std::int64_t task, int) {
    const std::int64_t last = std::min(rows, (task + 1) * kRowsATask);
    for (std::int64_t i = task * kRowsATask; i < last; ++i)
      keys[static_cast<std::size_t>(i)] = packing.key(coordinates + order[i] * packing.columns);
  });
  return keys;
}

// A kernel map that is being made: for each tap the meetings, as places in the order of space.
struct MapInProgress {
  struct Free {
    void operator()(std::int32_t* memory) const { std::free(memory); }
  };
  std::int64_t num_taps, num_inputs, num_outputs, capacity;
  const std::int32_t* input_order;
  const std::int32_t* output_order;
  std::unique_ptr<std::int32_t, Free> input_places, output_places;  // (taps, capacity)
  std::vector<std::int64_t> counts;
};

// All meetings input == output + delta of two sorted lists; returns how many.
std::int64_t merge(const std::vector<std::int64_t>& inputs,
                   const std::vector<std::int64_t>& outputs, std::int64_t delta,
                   std::int32_t* input_places, std::int32_t* output_places) {
  const std::size_t num_inputs = inputs.size(), num_outputs = outputs.size();
  std::size_t i = 0, o = 0;
  std::int64_t count = 0;
  while (i < num_inputs && o < num_outputs) {
    const std::int64_t input = inputs[i], query = outputs[o] + delta;
    if (input == query) {
      input_places[count] = static_cast<std::int32_t>(i);
      output_places[count] = static_cast<std::int32_t>(o);
      ++count;
    }
    // Which of the two is behind is a coin toss, hence no branch.
    i += input <= query;
    o += query <= input;
  }
  return count;
}

// For every block of kBlockRows places, the first meeting that is not before it.
void cut(const std::int32_t* places, std::int64_t count, std::int64_t num_places,
         std::int32_t* cuts) {
  const std::int64_t num_blocks = (num_places + kBlockRows - 1) / kBlockRows;
  std::int64_t block = 0;
  for (std::int64_t m = 0; m < count; ++m)
    for (; block * kBlockRows <= places[m]; ++block) cuts[block] = static_cast<std::int32_t>(m);
  for (; block <= num_blocks; ++block) cuts[block] = static_cast<std::int32_t>(count);
}

}  // namespace
}  // namespace pointcontrast

extern "C" {

// The order of space: `order` gets the rows of (rows, columns) coordinates, sorted. Returns how
// many rows stand there for a second time, or -1 where memory ran out.
std::int64_t pointcontrast_sort_coordinates(const std::int32_t* coordinates, std::int64_t rows,
                                            std::int64_t columns, const std::int64_t* unit,
                                            const std::int64_t* lower, const std::int64_t* radix,
                                            std::int32_t* order) try {
  const pointcontrast::Packing packing{unit, lower, radix, columns};
  std::vector<pointcontrast::Entry> entries(static_cast<std::size_t>(rows));
  for (std::int64_t row = 0; row < rows; ++row)
    entries[static_cast<std::size_t>(row)] = {
        static_cast<std::uint64_t>(packing.key(coordinates + row * columns)),
        static_cast<std::int32_t>(row)};
  pointcontrast::sort_entries(entries);
  std::int64_t duplicates = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    order[i] = entries[i].row;
    duplicates += i > 0 && entries[i].key == entries[i - 1].key;
  }
  return duplicates;
} catch (const std::bad_alloc&) {
  return -1;
}

// The places of (rows, columns) coordinates on a wider grid, each once, in the order of space:
// `wider` has room for all rows. step: (columns,) spacing of that grid; lower, radix: as for the
// floored coordinates divided by it. Returns how many, or -1 where memory ran out.
std::int64_t pointcontrast_downsample(const std::int32_t* coordinates, std::int64_t rows,
                                      std::int64_t columns, const std::int64_t* step,
                                      const std::int64_t* lower, const std::int64_t* radix,
                                      std::int32_t* wider) try {
  std::vector<pointcontrast::Entry> entries(static_cast<std::size_t>(rows));
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t key = 0;
    for (std::int64_t c = 0; c < columns; ++c) {
      const auto at = coordinates[row * columns + c];
      const auto size = static_cast<std::int32_t>(step[c]);
      const std::int32_t floored = at / size - (at % size < 0);
      key += (floored - lower[c]) * radix[c];
    }
    entries[static_cast<std::size_t>(row)] = {static_cast<std::uint64_t>(key),
                                              static_cast<std::int32_t>(row)};
  }
  pointcontrast::sort_entries(entries);
  std::int64_t count = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i > 0 && entries[i].key == entries[i - 1].key) continue;
    auto rest = static_cast<std::int64_t>(entries[i].key);
    for (std::int64_t c = 0; c < columns; ++c) {
      wider[count * columns + c] =
          static_cast<std::int32_t>((rest / radix[c] + lower[c]) * step[c]);
      rest %= radix[c];
    }
    ++count;
  }
  return count;
} catch (const std::bad_alloc&) {
  return -1;
}

// Begin a kernel map. Tap t lets output o read input i where key(i) = key(o) + deltas[t]; where
// opposite[t] is not -1 it is an earlier tap with the negative step, and inputs and outputs are one
// set. Writes the number of meetings of each tap to `counts`. The orders must live until the map is
// finished. Returns what pointcontrast_finish_map takes, or null where memory ran out.
void* pointcontrast_begin_map(const std::int32_t* inputs, const std::int32_t* input_order,
                              std::int64_t num_inputs, const std::int32_t* outputs,
                              const std::int32_t* output_order, std::int64_t num_outputs,
                              std::int64_t columns, const std::int64_t* unit,
                              const std::int64_t* lower, const std::int64_t* radix,
                              std::int64_t num_taps, const std::int64_t* deltas,
                              const std::int64_t* opposite, std::int64_t* counts,
                              int num_threads) try {
  using pointcontrast::MapInProgress;
  const pointcontrast::Packing packing{unit, lower, radix, columns};
  const auto input_keys =
      pointcontrast::sorted_keys(packing, inputs, input_order, num_inputs, num_threads);
  const auto output_keys =
      inputs == outputs
          ? std::vector<std::int64_t>()
          : pointcontrast::sorted_keys(packing, outputs, output_order, num_outputs, num_threads);
  auto map = std::make_unique<MapInProgress>();
  map->num_taps = num_taps;
  map->num_inputs = num_inputs;
  map->num_outputs = num_outputs;
  map->capacity = std::max<std::int64_t>(1, std::min(num_inputs, num_outputs));
  map->input_order = input_order;
  map->output_order = output_order;
  map->counts.assign(static_cast<std::size_t>(num_taps), 0);
  const auto bytes = static_cast<std::size_t>(num_taps * map->capacity) * sizeof(std::int32_t);
  map->input_places.reset(static_cast<std::int32_t*>(std::malloc(bytes)));
  map->output_places.reset(static_cast<std::int32_t*>(std::malloc(bytes)));
  if (bytes > 0 && (!map->input_places || !map->output_places)) return nullptr;
  pointcontrast::for_each_task(num_taps, num_threads, [&](std::int64_t tap, int) {
    if (opposite[tap] >= 0) return;
    map->counts[static_cast<std::size_t>(tap)] = pointcontrast::merge(
        input_keys, inputs == outputs ? input_keys : output_keys, deltas[tap],
        map->input_places.get() + tap * map->capacity,
        map->output_places.get() + tap * map->capacity);
  });
  for (std::int64_t tap = 0; tap < num_taps; ++tap) {
    auto& count = map->counts[static_cast<std::size_t>(tap)];
    if (opposite[tap] >= 0) count = map->counts[static_cast<std::size_t>(opposite[tap])];
    counts[tap] = count;
  }
  return map.release();
} catch (const std::bad_alloc&) {
  return nullptr;
}

// Write a kernel map and release what it was made in. input_rows, output_rows: (sum of counts,),
// tap after tap. input_cuts, output_cuts: (taps, blocks + 1), see Meetings. opposite: as at the
// beginning.
void pointcontrast_finish_map(void* begun, const std::int64_t* opposite, std::int32_t* input_rows,
                              std::int32_t* output_rows, std::int32_t* input_cuts,
                              std::int32_t* output_cuts, int num_threads) {
  const std::unique_ptr<pointcontrast::MapInProgress> map(
      static_cast<pointcontrast::MapInProgress*>(begun));
  const auto blocks = [](std::int64_t places) {
    return (places + pointcontrast::kBlockRows - 1) / pointcontrast::kBlockRows;
  };
  pointcontrast::for_each_task(map->num_taps, num_threads, [&](std::int64_t tap, int) {
    const bool turned = opposite[tap] >= 0;
    const std::int64_t source = (turned ? opposite[tap] : tap) * map->capacity;
    const std::int32_t* inputs = (turned ? map->output_places : map->input_places).get() + source;
    const std::int32_t* outputs = (turned ? map->input_places : map->output_places).get() + source;
    std::int64_t start = 0;
    for (std::int64_t t = 0; t < tap; ++t) start += map->counts[static_cast<std::size_t>(t)];
    const std::int64_t count = map->counts[static_cast<std::size_t>(tap)];
    for (std::int64_t m = 0; m < count; ++m) {
      input_rows[start + m] = map->input_order[inputs[m]];
      output_rows[start + m] = map->output_order[outputs[m]];
    }
    pointcontrast::cut(inputs, count, map->num_inputs,
                       input_cuts + tap * (blocks(map->num_inputs) + 1));
    pointcontrast::cut(outputs, count, map->num_outputs,
                       output_cuts + tap * (blocks(map->num_outputs) + 1));
  });
}

}  // extern "C"
