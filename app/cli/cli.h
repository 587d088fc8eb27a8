#pragma once

namespace lathe {

/// The whole program: parses the arguments, runs the command. Returns the exit status: 0 done, 1 error, 2 wrong usage,
/// 130 cancelled. Errors go to stderr, one sentence each.
int run_cli(int argc, char** argv);

}  // namespace lathe
