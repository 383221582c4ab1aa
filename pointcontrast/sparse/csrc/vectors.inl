// Vectors of the instruction set in the compiler's generic form, and tiles of them that stay in
// registers. Included by kernels.inl.

template <typename T>
struct VectorOf {
  typedef T Type __attribute__((vector_size(POINTCONTRAST_BYTES)));
};
template <typename T>
using Vector = typename VectorOf<T>::Type;

template <typename T>
constexpr int kLanes = POINTCONTRAST_BYTES / static_cast<int>(sizeof(T));
template <typename T>
constexpr int kPanel = kLanes<T>* kVectors;

template <typename T>
POINTCONTRAST_INLINE Vector<T> load(const T* from) {
  Vector<T> value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename T>
POINTCONTRAST_INLINE void store(T* to, const Vector<T>& value) {
  std::memcpy(to, &value, sizeof value);
}

template <typename T>
POINTCONTRAST_INLINE Vector<T> broadcast(T value) {
  return value - Vector<T>{};  // + would turn -0 into 0
}

// sum += left * right, by name of the instruction where possible: otherwise the compiler moves sums
// between registers, and some to memory and back within the loop.
#if defined(POINTCONTRAST_FMA3)
POINTCONTRAST_INLINE void multiply_add(Vector<float>& sum, const Vector<float>& left,
                                       const Vector<float>& right) {
  asm("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(left), "v"(right));
}
POINTCONTRAST_INLINE void multiply_add(Vector<double>& sum, const Vector<double>& left,
                                       const Vector<double>& right) {
  asm("vfmadd231pd %2, %1, %0" : "+v"(sum) : "v"(left), "v"(right));
}
#else
template <typename V>
POINTCONTRAST_INLINE void multiply_add(V& sum, const V& left, const V& right) {
  sum += left * right;
}
#endif

// The same for pairs of bfloat16, the upper halves first, as the instruction does it (which flushes
// subnormal numbers to 0). A bfloat16 is the upper half of a float.
POINTCONTRAST_INLINE void multiply_add(Vector<float>& sum, const Vector<Bfloat16Pair>& left,
                                       const Vector<Bfloat16Pair>& right) {
#if defined(POINTCONTRAST_BF16)
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(left), "v"(right));
#else
  using Floats = Vector<float>;
  constexpr Bfloat16Pair kUpper = 0xffff0000;
  multiply_add(sum, reinterpret_cast<Floats>(left & kUpper),
               reinterpret_cast<Floats>(right & kUpper));
  multiply_add(sum, reinterpret_cast<Floats>(left << 16), reinterpret_cast<Floats>(right << 16));
#endif
}

// Round to the nearest bfloat16, ties to even; NaN stays NaN.
inline std::uint32_t bfloat16(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return value == value ? (bits + 0x7fff + (bits >> 16 & 1)) >> 16 : 0x7fc0;
}

// Factor of one or two numbers at different addresses, rounded; the second may be missing.
template <typename T>
POINTCONTRAST_INLINE T factor(const Sum<T>* first, const Sum<T>* second) {
  if constexpr (kTerms<T> == 1)
    return *first;
  else
    return bfloat16(*first) | (second ? bfloat16(*second) << 16 : 0);
}

// kTerms rows, whose columns are factors.
template <typename T>
struct FactorRows {
  const Element<T>* rows[kTerms<T>];  // null: zeros; not the first

  POINTCONTRAST_INLINE FactorRows from(std::int64_t column) const {
    FactorRows result{{rows[0] + column}};
    if constexpr (kTerms<T> == 2) result.rows[1] = rows[1] ? rows[1] + column : nullptr;
    return result;
  }
  POINTCONTRAST_INLINE void copy_vector(T* to) const {
    if constexpr (kTerms<T> == 1)
      store<T>(to, load(rows[0]));
    else
      copy(kLanes<T>, to);
  }
  POINTCONTRAST_INLINE void copy(std::int64_t columns, T* to) const {
    if constexpr (kTerms<T> == 1) {
      std::memcpy(to, rows[0], static_cast<std::size_t>(columns) * sizeof(T));
    } else {
      const Bfloat16Pair mask = rows[1] ? 0xffff0000 : 0;
      const auto *lower = rows[0], *upper = rows[1] ? rows[1] : lower;
      for (std::int64_t c = 0; c < columns; ++c)
        to[c] = lower[c] | (static_cast<Bfloat16Pair>(upper[c]) << 16 & mask);
    }
  }
};

// Number of vectors that hold `columns` columns of a panel.
template <typename T>
inline int vectors_for(std::int64_t columns) {
  return static_cast<int>(std::min<std::int64_t>(divide_up(columns, kLanes<T>), kVectors));
}

// Call body(r, v) for every register of a tile, unrolled at compile time: an array indexed by a
// loop would not stay in registers.
template <int VECTORS, typename Body, int... I>
POINTCONTRAST_INLINE void each_of(std::integer_sequence<int, I...>, const Body& body) {
  (body(std::integral_constant<int, I / VECTORS>{}, std::integral_constant<int, I % VECTORS>{}),
   ...);
}
template <int ROWS, int VECTORS, typename Body>
POINTCONTRAST_INLINE void each_register(const Body& body) {
  each_of<VECTORS>(std::make_integer_sequence<int, ROWS * VECTORS>{}, body);
}

