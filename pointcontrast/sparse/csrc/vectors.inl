// Vectors of the instruction set at hand, in the compiler's generic form, and how tiles of them stay
// in registers. Included by kernels.inl.

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
  return value - Vector<T>{};  // + would turn -0 into 0, and so be an addition
}

// sum += left * right. Where it can, it names the instruction: left to itself the compiler moves
// sums from register to register, and some to memory and back within the loop.
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

// Vectors that hold `columns` of a panel.
template <typename T>
inline int vectors_for(std::int64_t columns) {
  return static_cast<int>(std::min<std::int64_t>(divide_up(columns, kLanes<T>), kVectors));
}

// body(r, v) for every register of a tile, written out: only what never was a loop over an array stays
// in registers from the first instruction to the last.
template <int VECTORS, typename Body, int... I>
POINTCONTRAST_INLINE void each_of(std::integer_sequence<int, I...>, const Body& body) {
  (body(std::integral_constant<int, I / VECTORS>{}, std::integral_constant<int, I % VECTORS>{}), ...);
}
template <int ROWS, int VECTORS, typename Body>
POINTCONTRAST_INLINE void each_register(const Body& body) {
  each_of<VECTORS>(std::make_integer_sequence<int, ROWS * VECTORS>{}, body);
}

