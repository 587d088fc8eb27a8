#!/bin/sh
# Trains the model `tiny` anew: text, tokenizer, weights. Needs Debian's archive (apt-get download), a Python with the
# package `tokenizers` (LATHE_PYTHON, else the one that ./lathe test sets up), and about 15 minutes of one core.
set -eu

folder=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$folder/../.." && pwd)
version=$(readlink -f /usr/bin/python3)
python=${LATHE_PYTHON:-${XDG_CACHE_HOME:-$HOME/.cache}/lathe/python-${version##*python}/bin/python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$work" && apt-get download r-cran-janeaustenr)
"$python" "$root/assets/text/make_text.py" "$work"/r-cran-janeaustenr_*.deb "$work"

mkdir "$work/start"
cp "$folder/config.json" "$work/start/"
"$python" "$folder/make_tokenizer.py" "$work/novels.txt" "$work/start"

"$root/lathe" train "$work/start" --init --seed 1 --trainable all --dtype bf16 --threads 1 --text "$work/novels.txt" \
  --steps 1500 --seq 256 --batch 8 --lr 2e-3 --warmup 50 --min-lr-ratio 0.03 --weight-decay 0.1 -o "$work/tiny"

cp "$work/tiny/model.safetensors" "$work/start/tokenizer.json" "$work/start/tokenizer_config.json" "$folder/"
