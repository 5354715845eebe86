#pragma once
// What a fuzz target offers, to libFuzzer or to standalone_main.cc.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// Must return 0 for every input; a crash, a sanitizer report or an exception that is no Error is a finding.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

/// Sound inputs to start from.
std::vector<std::string> fuzz_seeds();
