#pragma once

// Compile-time configuration of Dear ImGui (IMGUI_USER_CONFIG): read by its own sources and by ours.

#define IMGUI_DISABLE_OBSOLETE_FUNCTIONS

// Emoji and rare scripts lie beyond the 16-bit plane.
#define IMGUI_USE_WCHAR32

// Heat maps and long curves exceed 64 Ki vertices in one draw list.
#define ImDrawIdx unsigned int

#ifdef IMGUI_ENABLE_TEST_ENGINE
#undef IMGUI_ENABLE_TEST_ENGINE
#include <imgui_te_imconfig.h>
#endif
