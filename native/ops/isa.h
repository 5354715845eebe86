#pragma once
// Instruction set levels. All are in one binary; one is chosen once, when an engine starts.

#include <string_view>
#include <vector>

namespace eyrie {

/// Each level includes those before it.
enum class Isa { scalar, avx2, avx512, avx512bf16, amx };

const char* isa_name(Isa isa) noexcept;

/// Whether this CPU, its operating system and this build can run `isa`. For amx this also asks the kernel, once per
/// process, for permission to use the tile registers.
bool isa_supported(Isa isa) noexcept;

/// All levels that can run here, lowest first; never empty.
std::vector<Isa> supported_isas();

/// "auto" gives the highest supported level; otherwise the named one.
/// Throws invalid_request for a name that does not exist, unsupported_device for one that cannot run here.
Isa resolve_isa(std::string_view name);

}  // namespace eyrie
