#pragma once

#include <memory>
#include <vector>

#include "views/format.h"
#include "views/view.h"

namespace lathe {

/// The window's name: the title that is seen and an id of its own in each workspace, so that each keeps its layout.
ShortText window_name(const View::Info& info, Workspace workspace);

/// Brings the tab of the view to the front of its place, if the workspace has it; the keyboard stays where it is.
void show_tab(const View::Info& info, Workspace workspace);

/// Submits the dock space of every workspace, the others asleep; builds the layout where there is none yet or `reset`.
void submit_dockspaces(Workspace workspace, const std::vector<std::unique_ptr<View>>& views, bool reset);

}  // namespace lathe
