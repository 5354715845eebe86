#pragma once

namespace eyrie {

/// Raise it with any change that can alter a byte of a result: a kernel's order of sums, the sampler, stop rules. It is part of
/// system_fingerprint, which is how users learn that two runs need not agree.
inline constexpr const char* kNumericsVersion = "eyrie-cpu-3";

}  // namespace eyrie
