#pragma once

#include <filesystem>
#include <string>

#include "model/data/error.h"

namespace lathe {

/// The Error (E_IO) for what the system refused with the errno `reason`; the hint says what to do about that reason.
Error io_error(std::string what, int reason, const std::filesystem::path& where);

}  // namespace lathe
