#include "io/elf_file.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

namespace eyrie {

namespace {

/// Where the file must reach by its header and program headers; 0: these cannot be read.
uint64_t promised_bytes(std::ifstream& file, const Elf64_Ehdr& header) {
  uint64_t end = header.e_shoff + uint64_t{header.e_shnum} * header.e_shentsize;
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  file.seekg(static_cast<std::streamoff>(header.e_phoff));
  if (!file.read(reinterpret_cast<char*>(segments.data()), static_cast<std::streamsize>(segments.size() * sizeof(Elf64_Phdr)))) return 0;
  for (const Elf64_Phdr& segment : segments) end = std::max(end, segment.p_offset + segment.p_filesz);
  return end;
}

}  // namespace

std::string elf_problem(const std::string& path) {
  std::error_code error;
  // Opening a pipe would wait for a writer.
  if (!std::filesystem::is_regular_file(path, error)) return "it is not a file";
  const uint64_t bytes = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (!file) return "it cannot be read";
  Elf64_Ehdr header{};
  if (!file.read(reinterpret_cast<char*>(&header), sizeof header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr)) {
    return "it is not a shared library of 64 bits";
  }
  const uint64_t promised = promised_bytes(file, header);
  if (promised != 0 && promised <= bytes) return "";
  const std::string needed = promised == 0 ? "more" : std::to_string(promised);
  return "it is cut off: it has " + std::to_string(bytes) + " bytes, its headers speak of " + needed + "; copy it again";
}

}  // namespace eyrie
