#include "cpu/lab/issue_loop.h"
#include "cpu/lab/issue_rate.h"

namespace eyrie {

EYRIE_ISSUE_LOOP(issue_dpbusd, "vpdpbusd", "zmm")

}  // namespace eyrie
