// The headers that kernels.inl needs, for the files that include it.

#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels.h"
#include "parallel.h"
#include "scratch.h"
