#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "app/assets.h"
#include "app/cli/commands.h"
#include "app/figures.h"
#include "app/tour_report.h"
#include "converters/recipes.h"
#include "model/io/atomic_file.h"

namespace lathe {
namespace {

struct TourArguments {
  std::string folder = "lathe-tour";
  std::string model = "default";
  std::string recipe = "erax-8b";
  std::int64_t steps = 60;
  bool save = false;
};

constexpr const char* kPrompt = "What is a lathe, and what is it used for?";

/// What the window's user sees: the session is built from the same commands, events and pictures.
class Tour {
 public:
  Tour(const TourArguments& arguments, const CliOptions& options)
      : arguments_(arguments), options_(options), client_(options) {}

  nlohmann::json run() {
    check_writable(folder() / "report.md");
    const ConversionPlan plan = load_plan(arguments_.recipe, assets_folder() / "recipes");
    step("Open " + arguments_.model,
         OpenModel{.path = arguments_.model, .device = options_.device, .dtype = options_.dtype});
    step("Convert by recipe " + arguments_.recipe, Convert{plan});
    Train heal;
    heal.settings.steps = arguments_.steps;
    step("Heal", heal);
    const GenerateSettings writing{
        .prompt = kPrompt, .chat = session_.model->has_chat_template, .max_new_tokens = 96, .stop = {}};
    step("Write with the original", Generate{.settings = writing, .original = true});
    step("Write with the converted model", Generate{.settings = writing});
    step("Look inside", SetWatches{watches()});
    if (arguments_.save) step("Save", SaveModel{(folder() / "model").string()});
    return report();
  }

 private:
  std::filesystem::path folder() const { return arguments_.folder; }

  template <typename What>
  void step(const std::string& title, What what) {
    if (!options_.quiet) std::fprintf(stderr, "%s\n", title.c_str());
    const Command command{.job = client_.new_job(), .what = std::move(what)};
    reduce(session_, command);
    client_.run(command, [this](const Event& event) { reduce(session_, event); });
    for (const Snapshot& picture : client_.pictures()) reduce(session_, picture);
  }

  /// One picture of each kind, of the first layer that has it.
  std::vector<Watch> watches() const {
    std::vector<Watch> watches;
    const auto& layers = session_.model->config.layers;
    for (std::int64_t i = 0; i < std::ssize(layers); ++i) {
      const LayerConfig& layer = layers[static_cast<std::size_t>(i)];
      const auto watched = [&watches](PictureKind kind) {
        return std::ranges::find(watches, kind, &Watch::kind) != watches.end();
      };
      const auto watch = [&](PictureKind kind) {
        if (!watched(kind)) watches.push_back({.kind = kind, .layer = i, .head = 0, .max_side = 512, .prompt = {}});
      };
      if (layer.attention.kind == AttentionKind::Mla) {
        watch(PictureKind::Attention);
        watch(PictureKind::LiveLatent);
      }
      if (layer.feed_forward.kind == FeedForwardKind::Moe) watch(PictureKind::RouterChoices);
    }
    return watches;
  }

  nlohmann::json report() const {
    std::filesystem::create_directories(folder());
    const std::vector<std::string> figures = save_figures(session_, folder());
    write_file(folder() / "report.md", tour_report(session_, figures));
    write_file(folder() / "receipt.json", receipt_to_json(session_.receipt.value()).dump(2) + "\n");
    const TourLosses losses = tour_losses(session_);
    nlohmann::json paths{{"report", (folder() / "report.md").string()},
                         {"receipt", (folder() / "receipt.json").string()}};
    for (const std::string& figure : figures) paths["figures"].push_back((folder() / figure).string());
    return {{"losses",
             {{"original", losses.original},
              {"converted", losses.converted},
              {"healed", losses.healed},
              {"recovered", losses.recovered()}}},
            {"receipt", receipt_to_json(session_.receipt.value())},
            {"text", session_.writing.text},
            {"paths", std::move(paths)}};
  }

  TourArguments arguments_;
  CliOptions options_;
  Client client_;
  Session session_;
};

}  // namespace

void add_tour(CLI::App& app, const CliOptions& options) {
  auto* command = add_command(app, "tour", "Open, convert, heal and generate, with figures and a report",
                              "lathe tour\nlathe tour -o figures/ --json\nlathe tour --model tiny --recipe tiny-demo");
  auto arguments = std::make_shared<TourArguments>();
  command->add_option("-o,--out", arguments->folder, "Folder for figures and report")->capture_default_str();
  command->add_option("--model", arguments->model, "Folder, file, 'default' or 'tiny'")->capture_default_str();
  command->add_option("--recipe", arguments->recipe, "A plan file, or a recipe's name")->capture_default_str();
  command->add_option("--steps", arguments->steps, "Of healing")->check(CLI::PositiveNumber)->capture_default_str();
  command->add_flag("--save", arguments->save, "Also save the model");
  command->callback([arguments, &options] {
    const nlohmann::json result = Tour(*arguments, options).run();
    if (options.json) return print_json(result);
    const auto& losses = result.at("losses");
    std::printf("held-out loss: original %.4f, converted %.4f, healed %.4f (%.0f %% recovered)\nreport: %s\n",
                losses.at("original").get<double>(), losses.at("converted").get<double>(),
                losses.at("healed").get<double>(), 100.0 * losses.at("recovered").get<double>(),
                result.at("paths").at("report").get<std::string>().c_str());
  });
}

void run_tour(const CliOptions& options, const std::string& folder) {
  const nlohmann::json result = Tour({.folder = folder}, options).run();
  std::fprintf(stderr, "Figures and report: %s\n", result.at("paths").at("report").get<std::string>().c_str());
}

}  // namespace lathe
