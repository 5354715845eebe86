#include "gpu/run/run_requests.h"

#include <limits>

#include "error.h"
#include "io/json_cursor.h"

namespace eyrie::gpu {

namespace {

uint32_t number32(JsonCursor& cursor, const std::string& key) {
  const uint64_t value = cursor.unsigned_integer();
  if (value > std::numeric_limits<uint32_t>::max()) cursor.fail("'" + key + "' is " + std::to_string(value) + ", which is too large");
  return static_cast<uint32_t>(value);
}

void read_member(JsonCursor& cursor, const std::string& key, NumberedRequest& line) {
  Request& request = line.request;
  if (key == "id") {
    line.id = cursor.unsigned_integer();
  } else if (key == "prompt") {
    request.prompt_ids.clear();
    cursor.array([&] { request.prompt_ids.push_back(number32(cursor, key)); });
  } else if (key == "max_tokens") {
    request.max_tokens = number32(cursor, key);
  } else if (key == "min_tokens") {
    request.min_tokens = number32(cursor, key);
  } else if (key == "ignore_eos") {
    request.ignore_eos = number32(cursor, key) != 0;
  } else if (key == "seed") {
    request.seed = cursor.unsigned_integer();
  } else if (key == "logprobs") {
    request.logprobs = static_cast<int32_t>(number32(cursor, key));
  } else if (key == "prompt_logprobs") {
    request.prompt_logprobs = number32(cursor, key) != 0;
  } else {
    cursor.fail("'" + key +
                "' is no field of a request; there are id, prompt, max_tokens, min_tokens, ignore_eos, seed, logprobs, prompt_logprobs");
  }
}

}  // namespace

std::vector<NumberedRequest> read_requests(std::istream& lines, const std::string& file, const Request& common) {
  std::vector<NumberedRequest> requests;
  std::string text;
  for (uint64_t number = 1; std::getline(lines, text); ++number) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string place = file + " line " + std::to_string(number);
    NumberedRequest line{requests.size(), common};
    line.request.sequence_key = requests.size();
    try {
      JsonCursor cursor(text, place);
      cursor.object([&](const std::string& key) { read_member(cursor, key, line); });
      cursor.end();
    } catch (const Error& error) {
      // The parser's errors are about model files.
      throw Error(ErrorCode::invalid_request, error.what());
    }
    if (line.request.prompt_ids.empty()) throw Error(ErrorCode::invalid_request, place + ": 'prompt' is missing or empty");
    requests.push_back(std::move(line));
  }
  return requests;
}

}  // namespace eyrie::gpu
