#pragma once
// The published Falcon shapes by name, so that no configuration file is needed, and the arguments that change them.

#include <string>
#include <vector>

#include "gpu/arguments.h"
#include "model/falcon_config.h"

namespace eyrie::gpu {

const std::vector<std::string>& form_names();
/// `name` must be one of form_names().
FalconConfig form(const std::string& name);

/// --form NAME, changed by --layers, --hidden, --query-heads, --kv-heads, --head-dim, --ffn, --vocab, --context-tokens, --norms and, where
/// the head is not the embedding, --untied-head. Throws model_invalid for what cannot be.
FalconConfig form_from(Arguments& arguments);

}  // namespace eyrie::gpu
