#include "io/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "error.h"

namespace eyrie {

namespace {

std::string system_reason(int error) { return std::strerror(error); }

}  // namespace

InputFile::InputFile(const std::string& path) : name_(path.substr(path.find_last_of('/') + 1)) {
  // Nonblocking so that a FIFO in place of the file cannot hang the open; it has no meaning for regular files.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) {
    throw Error(ErrorCode::model_unreadable, "cannot open " + path + ": " + system_reason(errno));
  }
  struct stat status{};
  const bool known = ::fstat(descriptor_, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    const std::string reason = known ? "not a regular file" : system_reason(errno);
    ::close(descriptor_);
    throw Error(ErrorCode::model_unreadable, "cannot read " + path + ": " + reason);
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

InputFile::InputFile(InputFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_), name_(std::move(other.name_)) {}

void InputFile::read_at(uint64_t offset, std::span<std::byte> out) const {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      throw Error(ErrorCode::model_unreadable,
                  name_ + ": reading " + std::to_string(out.size()) + " bytes at " + std::to_string(offset) +
                      " failed: " + (got < 0 ? system_reason(errno) : std::string("the file has become shorter")));
    }
    done += static_cast<size_t>(got);
  }
}

void InputFile::prefetch(uint64_t offset, uint64_t bytes) const {
  ::posix_fadvise(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_WILLNEED);
}

}  // namespace eyrie
