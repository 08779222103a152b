#pragma once
// UNets' and ControlNets' config.json. DataErrors name file and key of what is
// missing, absurd or not implemented.

#include "models/io/config_json.h"
#include "models/unet/controlnet.h"

namespace sono {

// UNet2DModel or UNet2DConditionModel.
UNetConfig read_unet_config(ConfigJson json);
ControlNetConfig read_controlnet_config(ConfigJson json);
// The config.json that reads back so.
nlohmann::json controlnet_json(const ControlNetConfig& config);

}  // namespace sono
