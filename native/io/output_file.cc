#include "io/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "error.h"

namespace eyrie {

OutputFile::OutputFile(const std::string& path) : path_(path) {
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail(errno);
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void OutputFile::fail(int error) const {
  if (error == ENOSPC || error == EDQUOT) {
    throw Error(ErrorCode::disk_full, path_ + " could not be written: the disk is full. Free some space and run again");
  }
  throw Error(ErrorCode::invalid_request, path_ + " could not be written: " + std::strerror(error));
}

void OutputFile::write_at(uint64_t offset, std::span<const std::byte> bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) fail(put < 0 ? errno : EIO);
    done += static_cast<size_t>(put);
  }
}

void OutputFile::sync() {
  if (::fsync(descriptor_) != 0) fail(errno);
}

}  // namespace eyrie
