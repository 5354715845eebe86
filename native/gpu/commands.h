#pragma once
// The sub-commands. Each writes JSON lines to standard output and returns the exit status: 0, or 1 when something does not hold.

#include "gpu/arguments.h"

namespace eyrie::gpu {

int facts(Arguments& arguments);
int check(Arguments& arguments);
int lab(Arguments& arguments);
int run(Arguments& arguments);
int sweep(Arguments& arguments);

}  // namespace eyrie::gpu
