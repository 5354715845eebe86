#include "error.h"
#include "gpu/commands.h"
namespace eyrie::gpu { int sweep(Arguments&) { throw Error(ErrorCode::invalid_request, "not yet"); } }
