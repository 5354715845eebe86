#include "error.h"
#include "gpu/commands.h"
namespace eyrie::gpu { int run(Arguments&) { throw Error(ErrorCode::invalid_request, "not yet"); } }
