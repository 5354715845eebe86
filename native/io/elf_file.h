#pragma once
// Whether a shared library is whole. dlopen() maps what the headers promise; a file that was cut off, by a copy that did not end, then
// kills the process with a bus error instead of giving one of its own.

#include <string>

namespace eyrie {

/// What is wrong with the file as a 64-bit ELF library, e.g. "it is cut off: ..."; empty when nothing is. Reads the headers alone. Throws
/// nothing.
std::string elf_problem(const std::string& path);

}  // namespace eyrie
