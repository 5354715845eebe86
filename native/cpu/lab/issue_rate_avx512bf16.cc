#include "cpu/lab/issue_loop.h"
#include "cpu/lab/issue_rate.h"

namespace eyrie {

EYRIE_ISSUE_LOOP(issue_dpbf16, "vdpbf16ps", "zmm")

}  // namespace eyrie
