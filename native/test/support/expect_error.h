#pragma once
#include <gtest/gtest.h>

#include <string>

#include "error.h"

namespace eyrie::test {

/// `body` must throw an Error of this code whose text contains `text`.
template <class Body>
void expect_error(ErrorCode code, const std::string& text, Body&& body) {
  try {
    body();
    ADD_FAILURE() << "nothing thrown, expected " << code_name(code) << ": " << text;
  } catch (const Error& error) {
    EXPECT_STREQ(code_name(error.code()), code_name(code)) << error.what();
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << "got: " << error.what() << "\nwanted: " << text;
  }
}

}  // namespace eyrie::test
