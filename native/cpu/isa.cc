#include "cpu/isa.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace eyrie {

namespace {

constexpr Isa kAll[] = {Isa::scalar, Isa::avx2, Isa::avx512, Isa::avx512vnni, Isa::avx512bf16, Isa::amx};

#if defined(__x86_64__)
// The tile registers are 8 KiB of state that Linux saves only for processes that asked for it.
bool request_tiles() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
}

bool has_tiles() {
  // gcc 12 knows no names for these in __builtin_cpu_supports: leaf 7, EDX bits 22 (bf16), 24 (tile), 25 (int8).
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr unsigned kWanted = 1u << 22 | 1u << 24 | 1u << 25;
  return kEmulatedTiles || ((d & kWanted) == kWanted && request_tiles());
}

bool has_avx512_bf16() {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 5);
}

// By maker and not by measuring: a level decides about bytes, so it may not hang on what else the machine does. Intel's first
// CPU with dpbf16 had another core.
bool has_slow_dpbf16() { return __builtin_cpu_is("intel") && !__builtin_cpu_is("cooperlake"); }
#else
bool has_slow_dpbf16() { return false; }
#endif

bool chosen_unasked(Isa isa) {
  return isa_supported(isa) && !(isa == Isa::amx && kEmulatedTiles) && !(isa == Isa::avx512bf16 && has_slow_dpbf16());
}

}  // namespace

const char* isa_name(Isa isa) noexcept {
  switch (isa) {
    case Isa::scalar: return "scalar";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
    case Isa::avx512vnni: return "avx512vnni";
    case Isa::avx512bf16: return "avx512bf16";
    case Isa::amx: return "amx";
  }
  return "?";
}

bool isa_supported(Isa isa) noexcept {
  if (isa == Isa::scalar) return true;
#if defined(__x86_64__)
  __builtin_cpu_init();
  switch (isa) {
    case Isa::avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::avx512:
      return isa_supported(Isa::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case Isa::avx512vnni: return isa_supported(Isa::avx512) && __builtin_cpu_supports("avx512vnni");
    case Isa::avx512bf16: return isa_supported(Isa::avx512vnni) && has_avx512_bf16();
    case Isa::amx: return isa_supported(Isa::avx512bf16) && __builtin_cpu_supports("avx512vbmi") && has_tiles();
    case Isa::scalar: break;
  }
#endif
  return false;
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> found;
  for (Isa isa : kAll)
    if (isa_supported(isa)) found.push_back(isa);
  return found;
}

Isa resolve_isa(std::string_view name) {
  if (name == "auto") return *std::find_if(std::rbegin(kAll), std::rend(kAll), chosen_unasked);
  const std::vector<Isa> usable = supported_isas();
  std::string names;
  for (Isa isa : usable) names += std::string(names.empty() ? "" : ", ") + isa_name(isa);
  for (Isa isa : kAll) {
    if (name != isa_name(isa)) continue;
    if (isa_supported(isa)) return isa;
    throw Error(ErrorCode::unsupported_device,
                "isa '" + std::string(name) + "' cannot run on this CPU; it can run " + names + ", or choose auto");
  }
  throw Error(ErrorCode::invalid_request, "isa '" + std::string(name) + "' does not exist; choose auto, " + names);
}

}  // namespace eyrie
