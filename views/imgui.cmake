# Dear ImGui (docking), ImPlot and the test engine, a matched set from the source package of imgui-bundle.
# LATHE_IMGUI or the environment names the unpacked package; the script `lathe` fetches it.
find_path(LATHE_IMGUI_ROOT external/imgui/imgui/imgui.h
          HINTS "${LATHE_IMGUI}" "$ENV{LATHE_IMGUI}" "${lathe_cache}/imgui-bundle-1.93.0"
          NO_DEFAULT_PATH NO_CACHE)
if(NOT LATHE_IMGUI_ROOT)
  message(FATAL_ERROR "Dear ImGui not found; run ./lathe once, which fetches it, or pass -DLATHE_IMGUI=<unpacked "
                      "source package of imgui-bundle 1.93.0>; -DLATHE_WINDOW=OFF builds without a window")
endif()
set(imgui "${LATHE_IMGUI_ROOT}/external/imgui/imgui")
set(implot "${LATHE_IMGUI_ROOT}/external/implot/implot")
set(imgui_test "${LATHE_IMGUI_ROOT}/external/imgui_test_engine/imgui_test_engine/imgui_test_engine")

find_package(glfw3 3.3 REQUIRED)
find_package(OpenGL REQUIRED COMPONENTS OpenGL EGL)

# Headers and our configuration; what all of them and the views compile against.
add_library(lathe_imgui_headers INTERFACE)
target_include_directories(lathe_imgui_headers SYSTEM INTERFACE "${imgui}" "${implot}"
  "${LATHE_IMGUI_ROOT}/external/portable_file_dialogs/portable_file_dialogs")
target_include_directories(lathe_imgui_headers INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_definitions(lathe_imgui_headers INTERFACE IMGUI_USER_CONFIG="views/imgui_config.h")

set(imgui_sources imgui.cpp imgui_draw.cpp imgui_tables.cpp imgui_widgets.cpp imgui_stacklayout.cpp imgui_demo.cpp)
list(TRANSFORM imgui_sources PREPEND "${imgui}/")

add_library(imgui_plain STATIC ${imgui_sources})
target_link_libraries(imgui_plain PUBLIC lathe_imgui_headers)

# The tests link a second build with the hooks of the test engine; the program has no trace of it: its licence is
# free for open source but not MIT.
if(LATHE_TESTS)
  find_package(Threads REQUIRED)
  add_library(imgui_hooked STATIC EXCLUDE_FROM_ALL ${imgui_sources}
    "${imgui_test}/imgui_capture_tool.cpp" "${imgui_test}/imgui_te_context.cpp" "${imgui_test}/imgui_te_coroutine.cpp"
    "${imgui_test}/imgui_te_engine.cpp" "${imgui_test}/imgui_te_exporters.cpp" "${imgui_test}/imgui_te_perftool.cpp"
    "${imgui_test}/imgui_te_ui.cpp" "${imgui_test}/imgui_te_utils.cpp" "${imgui_test}/imgui_te_python_gil.cpp")
  target_include_directories(imgui_hooked SYSTEM PUBLIC "${imgui_test}" "${imgui_test}/..")
  target_compile_definitions(imgui_hooked PUBLIC IMGUI_ENABLE_TEST_ENGINE IMGUI_TEST_ENGINE_ENABLE_STD_FUNCTION=1
                             IMGUI_TEST_ENGINE_ENABLE_COROUTINE_STDTHREAD_IMPL=1)
  target_link_libraries(imgui_hooked PUBLIC lathe_imgui_headers Threads::Threads)
endif()

# What the views link: plain in the program, hooked in an executable whose property LATHE_TEST_ENGINE is on.
add_library(lathe_imgui INTERFACE)
target_link_libraries(lathe_imgui INTERFACE implot lathe_imgui_headers
  $<IF:$<BOOL:$<TARGET_PROPERTY:LATHE_TEST_ENGINE>>,imgui_hooked,imgui_plain>)

add_library(implot STATIC "${implot}/implot.cpp" "${implot}/implot_items.cpp")
target_link_libraries(implot PUBLIC lathe_imgui_headers
  $<IF:$<BOOL:$<TARGET_PROPERTY:LATHE_TEST_ENGINE>>,imgui_hooked,imgui_plain>)

add_library(lathe_imgui_window STATIC "${imgui}/backends/imgui_impl_glfw.cpp"
            "${imgui}/backends/imgui_impl_opengl3.cpp")
target_include_directories(lathe_imgui_window SYSTEM PUBLIC "${imgui}/backends")
target_link_libraries(lathe_imgui_window PUBLIC lathe_imgui glfw OpenGL::GL OpenGL::EGL)

# Third-party sources are compiled as they come.
foreach(library imgui_plain imgui_hooked implot lathe_imgui_window)
  if(TARGET ${library})
    target_compile_options(${library} PRIVATE -w)
  endif()
endforeach()
