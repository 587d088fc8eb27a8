#pragma once

#include "model/data/error.h"

namespace lathe {

/// What, where, got, expected, the next step and the code of an error, each on its own line, and a button that copies
/// all of it. As wide as what is left of the line; parts that are empty are left out.
void error_card(const ErrorParts& error);

/// The same without the headline, for a window that has one.
void error_details(const ErrorParts& error);

}  // namespace lathe
