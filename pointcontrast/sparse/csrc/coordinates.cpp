// Coordinate sets and kernel maps. Each coordinate is packed into one number (key), batch index
// first, and each set is sorted by key once. An offset of the kernel adds a constant to every key,
// so the queries of one tap are sorted too, and the entries of a kernel map come from one merge of
// two sorted lists, without a hash table and its scattered reads.

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

// Packing of coordinates into keys: sum over columns of (coordinate / unit - lower) * radix. All
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

struct KeyedRow {
  std::uint64_t key;
  std::int32_t row;
};

// Stable radix sort by key, 11 bits at a time.
void sort_by_key(std::vector<KeyedRow>& keyed_rows) {
  std::uint64_t largest = 0;
  bool sorted = true;
  for (std::size_t i = 0; i < keyed_rows.size(); ++i) {
    largest = std::max(largest, keyed_rows[i].key);
    sorted = sorted && (i == 0 || keyed_rows[i - 1].key <= keyed_rows[i].key);
  }
  if (sorted) return;
  constexpr int kBits = 11;
  constexpr std::size_t kBuckets = std::size_t{1} << kBits;
  std::vector<KeyedRow> other(keyed_rows.size());
  std::vector<std::size_t> start(kBuckets);
  for (int shift = 0; shift < 64 && (largest >> shift) != 0; shift += kBits) {
    std::fill(start.begin(), start.end(), 0);
    for (const auto& keyed_row : keyed_rows) ++start[(keyed_row.key >> shift) & (kBuckets - 1)];
    std::size_t sum = 0;
    for (auto& count : start) sum += std::exchange(count, sum);
    for (const auto& keyed_row : keyed_rows)
      other[start[(keyed_row.key >> shift) & (kBuckets - 1)]++] = keyed_row;
    keyed_rows.swap(other);
  }
}

// Keys of a coordinate set, sorted.
std::vector<std::int64_t> sorted_keys(const Packing& packing, const std::int32_t* coordinates,
                                      const std::int32_t* order, std::int64_t rows,
                                      int num_threads) {
  std::vector<std::int64_t> keys(static_cast<std::size_t>(rows));
  constexpr std::int64_t kRowsPerTask = 1 << 14;
  for_each_task((rows + kRowsPerTask - 1) / kRowsPerTask, num_threads, [&](std::int64_t task, int) {
    const std::int64_t last = std::min(rows, (task + 1) * kRowsPerTask);
    for (std::int64_t i = task * kRowsPerTask; i < last; ++i)
      keys[static_cast<std::size_t>(i)] = packing.key(coordinates + order[i] * packing.columns);
  });
  return keys;
}

// A kernel map under construction: the entries of each tap, as positions in the sorted sets.
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

// All pairs with input == output + delta of two sorted lists; returns their number.
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
    // No branch: which of the two is behind cannot be predicted.
    i += input <= query;
    o += query <= input;
  }
  return count;
}

// For every block of kBlockRows places, the first entry that is not before it.
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

// Sort (rows, columns) coordinates by key: `order` gets the row indices. Returns the number of
// duplicate rows, or -1 if memory ran out.
std::int64_t pointcontrast_sort_coordinates(const std::int32_t* coordinates, std::int64_t rows,
                                            std::int64_t columns, const std::int64_t* unit,
                                            const std::int64_t* lower, const std::int64_t* radix,
                                            std::int32_t* order) try {
  const pointcontrast::Packing packing{unit, lower, radix, columns};
  std::vector<pointcontrast::KeyedRow> keyed_rows(static_cast<std::size_t>(rows));
  for (std::int64_t row = 0; row < rows; ++row)
    keyed_rows[static_cast<std::size_t>(row)] = {
        static_cast<std::uint64_t>(packing.key(coordinates + row * columns)),
        static_cast<std::int32_t>(row)};
  pointcontrast::sort_by_key(keyed_rows);
  std::int64_t duplicates = 0;
  for (std::size_t i = 0; i < keyed_rows.size(); ++i) {
    order[i] = keyed_rows[i].row;
    duplicates += i > 0 && keyed_rows[i].key == keyed_rows[i - 1].key;
  }
  return duplicates;
} catch (const std::bad_alloc&) {
  return -1;
}

// Floor (rows, columns) coordinates to a coarser grid, without duplicates, sorted by key. `wider`
// has room for all rows. step: (columns,) spacing of the grid; lower, radix: the packing of the
// floored coordinates divided by it. Returns the number of rows, or -1 if memory ran out.
std::int64_t pointcontrast_downsample(const std::int32_t* coordinates, std::int64_t rows,
                                      std::int64_t columns, const std::int64_t* step,
                                      const std::int64_t* lower, const std::int64_t* radix,
                                      std::int32_t* wider) try {
  std::vector<pointcontrast::KeyedRow> keyed_rows(static_cast<std::size_t>(rows));
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t key = 0;
    for (std::int64_t c = 0; c < columns; ++c) {
      const auto at = coordinates[row * columns + c];
      const auto size = static_cast<std::int32_t>(step[c]);
      const std::int32_t floored = at / size - (at % size < 0);
      key += (floored - lower[c]) * radix[c];
    }
    keyed_rows[static_cast<std::size_t>(row)] = {static_cast<std::uint64_t>(key),
                                              static_cast<std::int32_t>(row)};
  }
  pointcontrast::sort_by_key(keyed_rows);
  std::int64_t count = 0;
  for (std::size_t i = 0; i < keyed_rows.size(); ++i) {
    if (i > 0 && keyed_rows[i].key == keyed_rows[i - 1].key) continue;
    auto rest = static_cast<std::int64_t>(keyed_rows[i].key);
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

// Begin a kernel map. In tap t output o reads input i if key(i) = key(o) + deltas[t]. If
// opposite[t] is not -1, it is an earlier tap with the opposite offset, and inputs and outputs are
// the same set. Writes the number of entries of each tap to `counts`. `input_order` and
// `output_order` must live until the map is finished. Returns the handle for
// pointcontrast_finish_map, or null if memory ran out.
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

// Write a kernel map and free the handle. input_rows, output_rows: (sum of counts,),
// tap after tap. input_cuts, output_cuts: (taps, blocks + 1), see MapEntries. opposite: as in
// pointcontrast_begin_map.
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
