#include "model/io/sentencepiece_model.h"

#include <bitset>
#include <cmath>

#include "model/data/error.h"
#include "model/io/byte_level.h"
#include "model/io/protobuf.h"
#include "model/io/utf8.h"
#include "model/io/vocabulary.h"

namespace lathe {

namespace {

constexpr std::size_t kMaxPieceBytes = 1 << 10;
constexpr std::int64_t kBpe = 2;

[[noreturn]] void refuse(ErrorCode code, const std::string& what, const std::string& got, const std::string& expected,
                         const std::string& where) {
  throw Error({.code = code,
               .what = what,
               .where = where,
               .got = got,
               .expected = expected,
               .hint = "download the file again, or save the tokenizer as tokenizer.json with transformers"});
}

void check_piece(const SentencePiece& piece, std::size_t id, const std::string& where) {
  const std::string name = text("piece ", id);
  if (piece.text.empty()) refuse(ErrorCode::Tokenizer, name + " is empty", "\"\"", "text", where);
  if (piece.text.size() > kMaxPieceBytes) {
    refuse(ErrorCode::Limit, name + " is too long", text(piece.text.size(), " bytes"), text("at most ", kMaxPieceBytes),
           where);
  }
  if (!is_utf8(piece.text)) refuse(ErrorCode::Utf8, name + " is not UTF-8", "other bytes", "UTF-8", where);
  if (!std::isfinite(piece.score)) {
    refuse(ErrorCode::Tokenizer, name + " has a score that is no number", text(piece.score), "a finite number", where);
  }
}

SentencePiece read_piece(ProtobufReader message, const std::string& where) {
  SentencePiece piece;
  while (message.next()) {
    if (message.field() == 1) piece.text = message.bytes();
    if (message.field() == 2) piece.score = message.number();
    if (message.field() != 3) continue;
    const std::int64_t kind = message.integer();
    if (kind < 1 || kind > 6)
      refuse(ErrorCode::Tokenizer, "a piece is of an unknown type", text(kind), "1 to 6", where);
    piece.kind = static_cast<SentencePiece::Kind>(kind);
  }
  return piece;
}

std::string read_utf8(const ProtobufReader& message, const std::string& where) {
  if (!is_utf8(message.bytes())) refuse(ErrorCode::Utf8, "a name is not UTF-8", "other bytes", "UTF-8", where);
  return std::string(message.bytes());
}

/// What the trainer was told, as far as it changes how text is cut.
struct TrainerSpec {
  std::int64_t model_type = 1;
  bool whitespace_as_suffix = false;
  std::vector<std::int64_t> special_ids{};
};

TrainerSpec read_trainer(ProtobufReader message, SentencePieceModel& model, const std::string& where) {
  TrainerSpec spec;
  while (message.next()) {
    const std::uint32_t field = message.field();
    if (field == 3) spec.model_type = message.integer();
    if (field == 24) spec.whitespace_as_suffix = message.boolean();
    if (field == 35) model.byte_fallback = message.boolean();
    if (field >= 40 && field <= 43) spec.special_ids.push_back(message.integer());
    if (field == 44) model.unknown_surface = read_utf8(message, where);
    if (field == 46) model.bos_piece = read_utf8(message, where);
    if (field == 47) model.eos_piece = read_utf8(message, where);
  }
  return spec;
}

void read_normalizer(ProtobufReader message, SentencePieceNormalizer& rules, const std::string& where) {
  while (message.next()) {
    const std::uint32_t field = message.field();
    if (field == 2) rules.charsmap = SentencePieceCharsmap(message.bytes(), where);
    if (field == 3) rules.add_dummy_prefix = message.boolean();
    if (field == 4) rules.remove_extra_whitespaces = message.boolean();
    if (field == 5) rules.escape_whitespaces = message.boolean();
  }
}

void check_spec(const TrainerSpec& spec, const SentencePieceModel& model, const std::string& where) {
  if (spec.model_type != kBpe) {
    constexpr const char* kTypes[] = {"", "unigram", "BPE", "word", "char"};
    const bool is_known = spec.model_type > 0 && spec.model_type < 5;
    refuse(ErrorCode::Tokenizer, "the sentencepiece model is of a type that is not supported",
           is_known ? kTypes[spec.model_type] : text(spec.model_type), "BPE", where);
  }
  if (spec.whitespace_as_suffix || !model.normalizer.escape_whitespaces) {
    refuse(ErrorCode::Tokenizer, "the sentencepiece model writes spaces in a way that is not supported",
           spec.whitespace_as_suffix ? "treat_whitespace_as_suffix" : "escape_whitespaces off", "a \"▁\" before words",
           where);
  }
  for (const std::int64_t id : spec.special_ids) {
    if (id < -1 || id >= static_cast<std::int64_t>(model.pieces.size())) {
      refuse(ErrorCode::Tokenizer, "the id of a special piece is not in the vocabulary", text(id),
             text("-1 to ", model.pieces.size() - 1), where);
    }
  }
}

}  // namespace

SentencePieceModel read_sentencepiece_model(std::string_view bytes, const std::string& where) {
  SentencePieceModel model;
  TrainerSpec spec;
  ProtobufReader message(bytes, where);
  while (message.next()) {
    if (message.field() == 1) {
      if (model.pieces.size() >= static_cast<std::size_t>(Vocabulary::kMaxTokens)) {
        refuse(ErrorCode::Limit, "too many pieces", text("more than ", model.pieces.size()), "fewer", where);
      }
      model.pieces.push_back(read_piece(message.message(), where));
      check_piece(model.pieces.back(), model.pieces.size() - 1, where);
    } else if (message.field() == 2) {
      spec = read_trainer(message.message(), model, where);
    } else if (message.field() == 3) {
      read_normalizer(message.message(), model.normalizer, where);
    } else if (message.field() == 5 && !message.bytes().empty()) {
      SentencePieceNormalizer denormalizer;
      read_normalizer(message.message(), denormalizer, where);
      if (!denormalizer.charsmap.empty()) {
        refuse(ErrorCode::Tokenizer, "a denormalizer is not supported", "a charsmap", "none", where);
      }
    }
  }
  check_pieces(model, where);
  check_spec(spec, model, where);
  return model;
}

void check_pieces(const SentencePieceModel& model, const std::string& where) {
  using Kind = SentencePiece::Kind;
  if (model.pieces.empty() || model.pieces.size() > static_cast<std::size_t>(Vocabulary::kMaxTokens)) {
    refuse(model.pieces.empty() ? ErrorCode::Tokenizer : ErrorCode::Limit, "the number of pieces cannot be",
           text(model.pieces.size()), text("1 to ", Vocabulary::kMaxTokens), where);
  }
  int unknown = 0;
  std::bitset<256> bytes;
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    const SentencePiece& piece = model.pieces[id];
    check_piece(piece, id, where);
    if (piece.kind == Kind::Unknown) ++unknown;
    if (piece.kind != Kind::Byte) continue;
    const auto byte = byte_named(piece.text);
    if (!byte || name_of_byte(*byte) != piece.text) {
      refuse(ErrorCode::Tokenizer, text("piece ", id, " is of the byte type but names no byte"),
             text("\"", piece.text.substr(0, 100), "\""), "\"<0x00>\" to \"<0xFF>\"", where);
    }
    bytes.set(static_cast<unsigned char>(*byte));
  }
  if (unknown != 1) {
    refuse(ErrorCode::Tokenizer, "the number of unknown pieces cannot be", text(unknown), "1", where);
  }
  if (model.byte_fallback ? !bytes.all() : bytes.any()) {
    refuse(ErrorCode::Tokenizer, "the pieces of bytes do not fit byte_fallback", text(bytes.count(), " of them"),
           model.byte_fallback ? "256" : "none", where);
  }
}

}  // namespace lathe
