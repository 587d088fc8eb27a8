#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "model/data/event_json.h"
#include "model/io/model_folder.h"

namespace lathe {
namespace {

struct TrainArguments {
  std::string model;
  std::string trainable = trainable_name(Trainable::Converted);
  std::string precision = train_precision_name(TrainPrecision::Auto);
  std::string out;
  bool init = false;
  Train train;
};

void print_step(const TrainStep& step, const CliOptions& options) {
  if (options.json) return print_json(train_step_to_json(step));
  std::printf(
      "step %4lld/%lld  loss %.4f  next token %.4f  balance %.3f  kl %.4f  lr %.2e  grad %.3f  %.0f tokens/s%s\n",
      static_cast<long long>(step.step), static_cast<long long>(step.steps), step.loss, step.next_token, step.balance,
      step.kl, step.lr, step.grad_norm, step.tokens_per_second, step.skipped ? "  skipped: not finite" : "");
  std::fflush(stdout);
}

void print_held_out(const HeldOut& held_out, const CliOptions& options) {
  if (options.json) {
    return print_json({{"step", held_out.step}, {"held_out_nll", held_out.nll}, {"original_nll", held_out.original}});
  }
  std::printf("held-out loss at step %lld: %.4f (original %.4f)\n", static_cast<long long>(held_out.step), held_out.nll,
              held_out.original);
}

void train_model(const TrainArguments& arguments, const CliOptions& options) {
  Client client(options);
  client.run(
      {.job = 0,
       .what = OpenModel{.path = arguments.model,
                         .device = options.device,
                         .dtype = options.dtype,
                         .config = options.config,
                         .init_seed = arguments.init ? std::optional(arguments.train.settings.seed) : std::nullopt}});
  client.run({.job = 0, .what = arguments.train}, [&options](const Event& event) {
    if (const auto* step = std::get_if<TrainStep>(&event.what)) print_step(*step, options);
    if (const auto* held_out = std::get_if<HeldOut>(&event.what)) print_held_out(*held_out, options);
  });
  client.run({.job = 0, .what = SaveModel{arguments.out}});
}

void add_run_options(CLI::App& command, TrainArguments& arguments) {
  TrainSettings& settings = arguments.train.settings;
  command.add_option("--trainable", arguments.trainable, "What learns: converted, routers, experts, attention or all")
      ->check(readable_by(trainable_from_name))
      ->capture_default_str();
  command.add_option("--precision", arguments.precision, "Of products: auto, f32 or bf16; weights are kept in f32")
      ->check(readable_by(train_precision_from_name))
      ->capture_default_str();
  command.add_option("--teacher", arguments.train.teacher, "A model to stay close to (with --kl-weight)");
  auto* run_folder = command.add_option("--run-folder", settings.run_folder, "Where states and curves are kept");
  command.add_option("--stop-at", arguments.train.stop_at, "Save the state after this step and end")
      ->check(CLI::NonNegativeNumber)
      ->needs(run_folder);
  command.add_flag("--resume", arguments.train.resume, "Go on from the state in --run-folder")->needs(run_folder);
  command.add_option("--save-every", settings.save_every, "Steps between saved states")->capture_default_str();
  command.add_option("--eval-every", settings.eval_every, "Steps between held-out losses")->capture_default_str();
  command.add_flag("--init", arguments.init, "MODEL holds config.json and a tokenizer only: start from random weights");
}

void add_optimiser_options(CLI::App& command, TrainSettings& settings) {
  command.add_option("--steps", settings.steps, "Optimiser steps")->capture_default_str();
  command.add_option("--seq", settings.seq_len, "Tokens in a sequence")->capture_default_str();
  command.add_option("--batch", settings.batch, "Sequences in a micro-batch")->capture_default_str();
  command.add_option("--accumulate", settings.accumulate, "Micro-batches in a step")->capture_default_str();
  command.add_option("--lr", settings.lr, "Highest learning rate")->capture_default_str();
  command.add_option("--warmup", settings.warmup_steps, "Steps to reach it")->capture_default_str();
  command.add_option("--min-lr-ratio", settings.min_lr_ratio, "Of lr, at the end of the cosine")->capture_default_str();
  command.add_option("--weight-decay", settings.weight_decay, "Of matrices")->capture_default_str();
  command.add_option("--beta1", settings.beta1, "Of AdamW")->capture_default_str();
  command.add_option("--beta2", settings.beta2, "Of AdamW")->capture_default_str();
  command.add_option("--eps", settings.eps, "Of AdamW")->capture_default_str();
  command.add_option("--max-grad-norm", settings.max_grad_norm, "Clip above; 0 is off")->capture_default_str();
  command.add_option("--balance-weight", settings.balance_weight, "Of the router balance loss")->capture_default_str();
  command.add_option("--kl-weight", settings.kl_weight, "Of KL(teacher || model)")->capture_default_str();
  command.add_option("--bias-update-speed", settings.bias_update_speed, "Of sigmoid routers' correction bias")
      ->capture_default_str();
  command.add_option("--seed", settings.seed, "The same seed gives the same run")->capture_default_str();
}

}  // namespace

void add_train(CLI::App& app, const CliOptions& options) {
  auto* command = add_command(app, "train", "Heal a converted model on a text",
                              "lathe train converted/ --text book.txt --steps 60 -o healed/\n"
                              "lathe train converted/ --text book.txt --kl-weight 1 --teacher default -o healed/");
  auto arguments = std::make_shared<TrainArguments>();
  command->add_option("MODEL", arguments->model, "Folder, file, 'default' or 'tiny'")->required();
  command->add_option("--text", arguments->train.settings.text,
                      "The text file to learn from; without it, the one that ships");
  command->add_option("-o,--out", arguments->out, "Folder to write")->required();
  add_run_options(*command, *arguments);
  add_optimiser_options(*command, arguments->train.settings);
  command->callback([arguments, &options] {
    arguments->train.settings.trainable = trainable_from_name(arguments->trainable);
    arguments->train.settings.precision = train_precision_from_name(arguments->precision);
    check_usage(train_problems(arguments->train.settings));
    check_saveable(arguments->out);
    train_model(*arguments, options);
  });
}

}  // namespace lathe
