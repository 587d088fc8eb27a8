#pragma once

#include <string>
#include <vector>

#include "app/picture.h"
#include "model/data/error.h"
#include "views/commands.h"

struct GLFWwindow;

namespace lathe {

/// Thrown where no display can be reached: the program then goes on without a window.
class NoDisplay : public Error {
 public:
  using Error::Error;
};

struct WindowOptions {
  std::string title = "Lathe";
  int width = 1280;
  int height = 800;
};

/// The system's window with its OpenGL and Dear ImGui contexts, for the life of the object. One at a time, on the main
/// thread, but for wake().
class Window {
 public:
  /// Throws NoDisplay, or Error if there is no OpenGL 3.3.
  explicit Window(const WindowOptions& options);
  ~Window();
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  /// Sleeps until there is input, a wake() or `seconds` went by. True if there was something to draw for.
  bool wait(double seconds);
  void begin_frame();
  /// Draws the frame into the back buffer; read_pixels() sees it until present() shows it.
  void render();
  void present();

  bool close_requested() const;
  void refuse_close();

  /// Paths dropped on the window since the last call.
  std::vector<std::string> take_dropped_paths();

  /// Of the monitor that the window is on: 2 on a HiDPI display.
  float display_scale() const;

  /// What the rendered frame shows in `rect`, clipped to the window.
  Picture read_pixels(const PixelRect& rect) const;
  PixelRect whole() const;

  void copy_text(const std::string& text);

  /// Ends a wait() from any thread.
  static void wake();

 private:
  void listen();

  GLFWwindow* window_ = nullptr;
  std::vector<std::string> dropped_;
  bool input_ = true;
};

}  // namespace lathe
