#pragma once
// Instruction set levels. All are in one binary; one is chosen once, when an engine starts.

#include <string_view>
#include <vector>

namespace eyrie {

/// Each level includes those before it.
enum class Isa { scalar, avx2, avx512, avx512vnni, avx512bf16, amx };

const char* isa_name(Isa isa) noexcept;

/// Whether this CPU, its operating system and this build can run `isa`. For amx this also asks the kernel, once per
/// process, for permission to use the tile registers.
bool isa_supported(Isa isa) noexcept;

/// All levels that can run here, lowest first; never empty.
std::vector<Isa> supported_isas();

/// In a build with EYRIE_EMULATED_TILES (CMakeLists.txt) amx is plain code on top of avx512bf16, for tests alone.
#ifdef EYRIE_EMULATED_TILES
constexpr bool kEmulatedTiles = true;
#else
constexpr bool kEmulatedTiles = false;
#endif

/// "auto" gives the fastest supported level, otherwise the named one. The fastest is the highest, but avx512vnni and not
/// avx512bf16 on Intel CPUs from Sapphire Rapids on: they issue dpbf16 at a quarter of the rate of a float multiply-add, and so
/// get half the products from it. It is never amx by emulated tiles.
/// Throws invalid_request for a name that does not exist, unsupported_device for one that cannot run here.
Isa resolve_isa(std::string_view name);

}  // namespace eyrie
