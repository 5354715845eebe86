#pragma once
// The lines that `run` reads: one JSON object per request. Only `prompt` must be there.
//
//   {"id": 7, "prompt": [12, 40], "max_tokens": 16, "min_tokens": 0, "ignore_eos": 1, "seed": 5, "logprobs": 2, "prompt_logprobs": 1}
//
// All values are whole numbers; the rest of the sampling parameters come from the command line and hold for all lines.

#include <cstdint>
#include <istream>
#include <vector>

#include "engine/request.h"

namespace eyrie::gpu {

struct NumberedRequest {
  uint64_t id = 0;  ///< that of the line, or its number from 0 on
  Request request;
};

/// Empty lines are passed over. `common`: what holds for all lines unless they say otherwise. Throws invalid_request naming `file` and
/// the line.
std::vector<NumberedRequest> read_requests(std::istream& lines, const std::string& file, const Request& common);

}  // namespace eyrie::gpu
