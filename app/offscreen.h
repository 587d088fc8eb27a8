#pragma once

#include "app/picture.h"
#include "views/commands.h"

namespace lathe {

/// Dear ImGui drawn without a display: EGL surfaceless, OpenGL 3.3 core, a framebuffer object. Owns its ImGui and
/// ImPlot contexts. Source: EGL_MESA_platform_surfaceless.
class Offscreen {
 public:
  /// Throws Error if EGL gives no surfaceless OpenGL 3.3 context.
  Offscreen(int width, int height);
  ~Offscreen();
  Offscreen(const Offscreen&) = delete;
  Offscreen& operator=(const Offscreen&) = delete;

  void begin_frame();
  void render();

  /// What the last rendered frame shows in `rect`, clipped to the picture.
  Picture read_pixels(const PixelRect& rect) const;
  Picture read_all() const;

 private:
  void make_context();
  void make_framebuffer();

  int width_;
  int height_;
  void* display_ = nullptr;
  void* context_ = nullptr;
  unsigned framebuffer_ = 0, texture_ = 0;
};

}  // namespace lathe
