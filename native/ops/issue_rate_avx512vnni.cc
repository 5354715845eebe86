#include "ops/issue_loop.h"
#include "ops/issue_rate.h"

namespace eyrie {

EYRIE_ISSUE_LOOP(issue_dpbusd, "vpdpbusd", "zmm")

}  // namespace eyrie
