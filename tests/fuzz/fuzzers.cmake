# One fuzzer a parser: fuzz_<name> from <name>_fuzz.cpp. A new one needs its line here, its file, and seeds from
# make_seeds.py.
set(lathe_fuzzers
    chat_template
    config
    gguf
    plan
    pytorch
    safetensors
    sentencepiece
    shard_index
    tokenizer
    unpickler
    zip)
